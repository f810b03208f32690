/** `server`: how it runs, or where it is. */
import { API_KEYS, readApi } from './decode-api.ts';
import type { RemoteServerSpec, ServerSpec } from './types.ts';
import { readSandboxed } from './decode-sandboxed.ts';
import { type Cursor, type Fields, readChoice, readFields } from './fields.ts';
import { readRuled, webAddressRule } from './plain-text.ts';
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
  api: API_KEYS,
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
