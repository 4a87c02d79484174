import { expect, test } from 'vitest';
import { MOST_FILES, refusal, toldByPath } from './files';

const MIB = 1024 * 1024;

test('what the server would refuse is not sent', () => {
  expect(refusal({ size: 10 * MIB }, MOST_FILES - 1)).toBe(null);
  expect(refusal({ size: 10 * MIB + 1 }, 0)?.code).toBe('attachment_too_large');
  expect(refusal({ size: 1 }, MOST_FILES)?.code).toBe('too_many_attachments');
});

test('an image that is too large for an agent, or one too many, is known before it is sent', () => {
  const image = (id: string, bytes: number) => ({ id, bytes, media_type: 'image/png' });
  const six = Array.from({ length: 6 }, (_, place) => image(String(place), 3_750_000));
  expect([...toldByPath([image('small', 3_750_000), image('large', 3_750_001)])]).toEqual(['large']);
  expect([...toldByPath(six)]).toEqual(['5']);
  expect([...toldByPath([{ id: 'log', bytes: 9_000_000, media_type: 'text/plain' }])]).toEqual([]);
});
