/** `server` of kind `api`: what of an API becomes tools. */
import { describe, expect, it } from 'vitest';
import { parseManifest, writeManifest } from '../../src/manifest/index.ts';

const manifest = (server: string): string => `
schemaVersion: 2
name: shop
version: 1.0.0
server: { kind: api, baseUrl: "https://api.example.com/v1", ${server} }
egress: [{ host: api.example.com }]
`;

const codes = (server: string) =>
  parseManifest(manifest(server), { file: 'm' }).errors.map(({ field, code }) => [field, code]);

describe('the operations of a document', () => {
  it('are chosen by tag, method and path, and written as they were read', () => {
    const text = manifest(
      'openapi: shop.json, request: true, operations: { tags: [a b], methods: [GET], paths: ["/things/{id}", "/x/**"], exclude: [dropAll, /admin/*] }',
    );
    const { manifest: read, errors } = parseManifest(text, { file: 'm' });
    expect(errors).toEqual([]);
    expect(read?.server).toEqual({
      kind: 'api',
      baseUrl: 'https://api.example.com/v1',
      openapi: 'shop.json',
      operations: {
        tags: ['a b'],
        methods: ['GET'],
        paths: ['/things/{id}', '/x/**'],
        exclude: ['dropAll', '/admin/*'],
      },
      request: true,
    });
    if (read === undefined) throw new Error('nothing was read');
    expect(parseManifest(writeManifest(read), { file: 'm' }).manifest).toEqual(read);
  });

  it('are of a document: there is nothing to choose from without one', () => {
    expect(codes('toolspec: a.yaml, operations: { tags: [a] }')).toEqual([
      ['server.operations', 'manifest_api_operations'],
    ]);
    expect(codes('openapi: a.yaml, toolspec: b.yaml')).toEqual([['server', 'manifest_api_tools']]);
    expect(codes('request: true')).toEqual([]);
  });

  it.each([
    ['{ tags: [] }', 'server.operations.tags', 'manifest_list_empty'],
    ['{ tags: [a, a] }', 'server.operations.tags[1]', 'manifest_repeated'],
    ['{ methods: [FETCH] }', 'server.operations.methods[0]', 'manifest_unknown_choice'],
    ['{ paths: [things] }', 'server.operations.paths[0]', 'manifest_operation_invalid'],
    ['{ paths: ["/a?b"] }', 'server.operations.paths[0]', 'manifest_operation_invalid'],
    ['{ exclude: [""] }', 'server.operations.exclude[0]', 'manifest_operation_invalid'],
    ['{ path: [/a] }', 'server.operations.path', 'manifest_unknown_key'],
    ['[GET]', 'server.operations', 'manifest_wrong_type'],
  ])('are not chosen by %s', (operations, field, code) => {
    expect(codes(`openapi: a.json, operations: ${operations}`)).toContainEqual([field, code]);
  });
});
