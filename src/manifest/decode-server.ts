/** `server`: how it runs, or where it is. */
import type { ApiServerSpec, RemoteServerSpec, ServerSpec } from './types.ts';
import { readSandboxed } from './decode-sandboxed.ts';
import { type Cursor, type Fields, readChoice, readFields, refuse } from './fields.ts';
import { readRuled, type TextRule, webAddressRule } from './plain-text.ts';
import type { Report } from './report.ts';

const KEYS = {
  sandboxed: [
    'kind',
    'package',
    'command',
    'args',
    'env',
    'files',
    'limits',
    'idleSeconds',
    'shared',
    'addresses',
  ],
  remote: ['kind', 'url'],
  api: ['kind', 'baseUrl', 'openapi', 'toolspec'],
} as const;

const KINDS = ['sandboxed', 'remote', 'api'] as const;

const KIND_EXPECTED =
  'sandboxed (a program in a cell), remote (an MCP server at a url) or api (an HTTP API at a baseUrl)';

export function readServer(cursor: Cursor | undefined, report: Report): ServerSpec | undefined {
  if (cursor === undefined) return undefined;
  const kindOnly = cursor.node.kind === 'map' ? cursor.node.entries.get('kind') : undefined;
  // Which keys are known depends on the kind, so the kind is read first.
  const kind =
    kindOnly === undefined
      ? undefined
      : readChoice({ node: kindOnly.value, path: `${cursor.path}.kind` }, KINDS, report);
  if (kind === undefined) {
    if (kindOnly === undefined)
      readFields(cursor, [...new Set(Object.values(KEYS).flat())], report)?.need('kind', KIND_EXPECTED);
    return undefined;
  }
  const fields = readFields(cursor, KEYS[kind], report);
  if (fields === undefined) return undefined;
  if (kind === 'sandboxed') return readSandboxed(fields, report);
  return kind === 'remote' ? readRemote(fields, report) : readApi(fields, cursor, report);
}

function readRemote(fields: Fields, report: Report): RemoteServerSpec | undefined {
  const url = readRuled(
    fields.need('url', 'the address of the MCP server'),
    webAddressRule('manifest_url_invalid'),
    report,
  );
  return url === undefined ? undefined : { kind: 'remote', url };
}

function readApi(fields: Fields, cursor: Cursor, report: Report): ApiServerSpec | undefined {
  const baseUrl = readRuled(
    fields.need('baseUrl', 'the address that the paths are below'),
    webAddressRule('manifest_url_invalid'),
    report,
  );
  const openapiAt = fields.get('openapi');
  const toolspecAt = fields.get('toolspec');
  const openapi = readRuled(openapiAt, documentRule, report);
  const toolspec = readRuled(toolspecAt, documentRule, report);
  if (baseUrl !== undefined && baseUrl.includes('?')) {
    refuse(
      fields.get('baseUrl') ?? cursor,
      {
        code: 'manifest_url_invalid',
        message: 'the address has a query',
        expected: 'an address without a query',
      },
      report,
    );
  }
  if (openapiAt !== undefined && toolspecAt !== undefined) {
    refuse(
      cursor,
      {
        code: 'manifest_api_tools',
        message: 'openapi and toolspec are both given',
        expected: 'one of the two',
      },
      report,
    );
  }
  if (
    baseUrl === undefined ||
    (openapiAt !== undefined && openapi === undefined) ||
    (toolspecAt !== undefined && toolspec === undefined)
  )
    return undefined;
  return {
    kind: 'api',
    baseUrl,
    ...(openapi === undefined ? {} : { openapi }),
    ...(toolspec === undefined ? {} : { toolspec }),
  };
}

const documentRule: TextRule = {
  expected: 'an https address, or the name of a file beside the manifest',
  fault(text) {
    const file = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,200}$/.test(text);
    const address = text.startsWith('https://') && webAddressRule('').fault(text) === undefined;
    return file || address
      ? undefined
      : {
          code: 'manifest_document_reference',
          message: `${JSON.stringify(text)} is neither`,
          expected: this.expected,
        };
  },
};
