import { expect, test } from 'vitest';
import { MOST_FILES, refusal } from './files';

const MIB = 1024 * 1024;

test('what the server would refuse is not sent', () => {
  expect(refusal({ size: 10 * MIB }, MOST_FILES - 1)).toBe(null);
  expect(refusal({ size: 10 * MIB + 1 }, 0)?.code).toBe('attachment_too_large');
  expect(refusal({ size: 1 }, MOST_FILES)?.code).toBe('too_many_attachments');
});
