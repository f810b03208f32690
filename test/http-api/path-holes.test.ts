/** Values that are several segments of a path, where the document says so: their slashes part segments, and nothing leaves its place. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { normalizeTarget } from '../../src/wire/index.ts';
import { compile, documentOf, faultOf, requestOf, seen, toolNamed } from './compiled.ts';

const param = (name: string, more: object = {}) => ({
  name,
  in: 'path',
  required: true,
  schema: { type: 'string' },
  ...more,
});
const { tools, leftOut } = compile(
  documentOf({
    '/{name=projects/*/topics/*}:publish': { post: { operationId: 'publish', parameters: [param('name')] } },
    '/files/{path=**}': { get: { operationId: 'file', parameters: [param('path')] } },
    '/{+resource}/policy': { get: { operationId: 'policy', parameters: [param('resource')] } },
    '/raw/{path}': { get: { operationId: 'raw', parameters: [param('path', { allowReserved: true })] } },
    '/sized/{name}': {
      get: {
        operationId: 'sized',
        parameters: [param('name', { schema: { type: 'string', pattern: '^shelves/[^/]+$' } })],
      },
    },
    '/coded/{name}': {
      get: {
        operationId: 'coded',
        parameters: [param('name', { schema: { type: 'string', pattern: '^[A-Za-z/]+$' } })],
      },
    },
    '/one/{name}': { get: { operationId: 'one', parameters: [param('name')] } },
    '/none/{other=a/*}': { get: { operationId: 'none', parameters: [param('name')] } },
  }),
);
const tool = (name: string) => toolNamed(tools, name);

describe('a path whose document says that a value has several segments', () => {
  it.each([
    ['publish', { name: 'projects/p 1/topics/t' }, '/v1/projects/p%201/topics/t:publish'],
    ['file', { path: 'a/b?c/d#e' }, '/v1/files/a/b%3Fc/d%23e'],
    ['policy', { resource: 'x/y' }, '/v1/x/y/policy'],
    ['raw', { path: 'a/b' }, '/v1/raw/a/b'],
    ['sized', { name: 'shelves/1' }, '/v1/sized/shelves/1'],
  ])('has its slashes as they are: %s', (name, args, target) => {
    expect(requestOf(tool(name), args).target).toBe(target);
  });

  it.each([
    ['one', { name: 'a/b' }, '/v1/one/a%2Fb'],
    ['coded', { name: 'a/b' }, '/v1/coded/a%2Fb'],
  ])('has none where it says nothing of it: %s', (name, args, target) => {
    expect(requestOf(tool(name), args).target).toBe(target);
  });

  it.each([
    ['publish', 'projects/p'],
    ['publish', 'projects/p/topics/t/more'],
    ['publish', 'folders/p/topics/t'],
    ['publish', 'projects//topics/t'],
    ['publish', 'projects/../topics/t'],
    ['publish', '/projects/p/topics/t'],
  ])('of %s is not %j', (name, value) => {
    expect(faultOf(tool(name), { name: value })).toBe('api_argument_path');
  });

  it.each(['', '/', '..', 'a/..', '../a', 'a/./b', 'a//b', '/a', 'a/', 'a/%2e%2e', 'a\\..\\b', 'a/..;x/b'])(
    'is not left by %j',
    (path) => {
      expect(faultOf(tool('file'), { path })).toBe('api_argument_path');
      expect(faultOf(tool('raw'), { path })).toBe('api_argument_path');
    },
  );

  it('is what the tool is described with, as the document has it', () => {
    expect(seen(tool('publish'))['description']).toContain('POST /{name=projects/*/topics/*}:publish');
    expect(leftOut).toEqual(['GET /none/{other=a/*}: nothing says what {other} is']);
  });

  it('is below what stands before it, whatever the value is', () => {
    const piece = fc.constantFrom(
      '/',
      '..',
      '.',
      '%2e',
      '%2F',
      '\\',
      '?',
      '#',
      ';',
      'a',
      'é',
      '{path}',
      '//',
      ' ',
    );
    let built = 0;
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 6 }), (pieces) => {
        const path = pieces.join('');
        const fault = faultOf(tool('file'), { path });
        if (!fault.startsWith('no fault')) {
          expect(fault).toBe('api_argument_path');
          return;
        }
        built += 1;
        const { target } = requestOf(tool('file'), { path });
        expect(normalizeTarget(target).ok).toBe(true);
        const segments = target.split('/').slice(1);
        expect(segments.slice(0, 2)).toEqual(['v1', 'files']);
        expect(segments.slice(2).map(decodeURIComponent)).toEqual(path.split('/'));
      }),
      { numRuns: 1_000 },
    );
    expect(built).toBeGreaterThan(100);
  });
});
