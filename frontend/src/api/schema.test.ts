import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import openapiTS, { astToString } from 'openapi-typescript';
import { expect, it } from 'vitest';
import manifest from '../../package.json';

it('is fresh: npm run generate', async () => {
  const at = (name: string) => `${import.meta.dirname}/${name}`;
  const ast = await openapiTS(pathToFileURL(at('openapi.json')), {
    defaultNonNullable: false,
    rootTypes: true,
    rootTypesNoSchemaPrefix: true,
    enumValues: true,
  });
  const kept = readFileSync(at('schema.ts'), 'utf8');
  expect(kept.slice(kept.indexOf('export interface paths'))).toBe(astToString(ast));
  expect(manifest.scripts.generate).toContain('--enum-values');
});
