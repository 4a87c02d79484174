import { readFileSync } from 'node:fs';
import openapi, { astToString, COMMENT_HEADER } from 'openapi-typescript';
import { expect, test } from 'vitest';

test('the types are those of the document: run `npm run api`', async () => {
  const made =
    COMMENT_HEADER +
    astToString(await openapi(new URL('../../../docs/openapi.json', import.meta.url), { defaultNonNullable: false }));
  expect(readFileSync(new URL('./openapi.ts', import.meta.url), 'utf8')).toBe(made);
});
