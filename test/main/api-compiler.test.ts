/** Documents that somebody wrote on purpose cost no more than they may, and hold up nobody meanwhile. */
import { describe, expect, it } from 'vitest';
import { createApiCompiler } from '../../src/main/upstreams/api-compiler.ts';
import type { ApiUse } from '../../src/http-api/index.ts';
import { documentHash } from '../../src/manifest/index.ts';

const use: ApiUse = {
  server: { kind: 'api', baseUrl: 'https://api.example.com', openapi: 'a.json' },
  egress: [],
  credentials: [],
};
const document = (text: string) => ({ hash: documentHash(text), text });
const operation = (name: string) => ({ get: { operationId: name } });
const usual = JSON.stringify({ openapi: '3.1.0', paths: { '/a': operation('one'), '/b': operation('two') } });

describe('the compiler of documents', () => {
  it('makes tools once for each document and each use of it', async () => {
    const compiler = createApiCompiler();
    const first = await compiler.compile(use, document(usual));
    expect(first.tools.map(({ name }) => name)).toEqual(['one', 'two']);
    expect(await compiler.compile({ ...use }, document(usual))).toBe(first);
    const narrow = { ...use, server: { ...use.server, operations: { paths: ['/b'] } } };
    expect((await compiler.compile(narrow, document(usual))).tools.map(({ name }) => name)).toEqual(['two']);
  });

  it('gives plans that requests can be made from, and what a document says of itself', async () => {
    const compiler = createApiCompiler();
    const { server: _, ...rest } = use;
    const { tools } = await compiler.compile(
      { ...rest, server: { kind: 'api', baseUrl: 'https://api.example.com' } },
      null,
    );
    expect(tools[0]?.plan).toMatchObject({ kind: 'request', taken: { headers: new Set() } });
    expect(await compiler.describe(usual)).toMatchObject({ methods: ['GET'], logins: [] });
  });

  it('says what is wrong with a document, each time', async () => {
    const compiler = createApiCompiler();
    for (let time = 0; time < 2; time += 1)
      await expect(compiler.compile(use, document('{"openapi":'))).rejects.toMatchObject({
        code: 'api_document_malformed',
      });
    await expect(compiler.describe('{}')).rejects.toMatchObject({ code: 'api_document_version' });
    await expect(compiler.compile(use, null)).rejects.toMatchObject({ code: 'api_document_missing' });
  });

  it('gives a document up that costs too much', async () => {
    const long = JSON.stringify({ openapi: '3.1.0', paths: { '/a': operation('x'.repeat(30_000_000)) } });
    const small = createApiCompiler({ memoryMiB: 24, timeoutMs: 600_000 });
    await expect(small.compile(use, document(long))).rejects.toMatchObject({
      code: 'api_document_too_costly',
    });
    const hasty = createApiCompiler({ memoryMiB: 256, timeoutMs: 0 });
    await expect(hasty.describe(usual)).rejects.toMatchObject({ code: 'api_document_too_costly' });
  });
});
