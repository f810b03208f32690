/**
 * Protocol revision 2026-07-28 towards clients: which requests are of it, and what its results have that those of an
 * older server lack.
 */
import { AppError } from '../../kernel/index.ts';
import { paramSpan, type RpcRequest } from './message.ts';
import { LOG_LEVELS, metaKey, STATELESS_VERSION } from './protocol.ts';
import {
  find,
  insertMembers,
  keepMembers,
  membersOf,
  slice,
  type Span,
  splice,
  stringAt,
} from './raw-json.ts';
import { rpcCode } from './rpc-error.ts';

/** Whether it says so, rightly or not. */
export const claimsStateless = (request: RpcRequest): boolean =>
  paramSpan(request, '_meta', metaKey.protocolVersion) !== null;

/** Methods of the older revisions that this one does not have. */
const REMOVED: ReadonlySet<string> = new Set([
  'initialize',
  'ping',
  'logging/setLevel',
  'resources/subscribe',
  'resources/unsubscribe',
]);

/** Methods whose results say how long they may be kept. */
const CACHEABLE: ReadonlySet<string> = new Set([
  'server/discover',
  'tools/list',
  'prompts/list',
  'resources/list',
  'resources/templates/list',
  'resources/read',
]);

/**
 * Whether the request names its revision itself.
 *
 * @throws AppError `mcp_version_unsupported` for one that is not served, `mcp_envelope_malformed` for what it does not
 *   say of itself, `mcp_method_unknown` for what its revision lacks
 */
export function isStateless(request: RpcRequest): boolean {
  const claim = paramSpan(request, '_meta', metaKey.protocolVersion);
  const capabilities = paramSpan(request, '_meta', metaKey.clientCapabilities);
  if (claim === null) return false;
  const version = stringAt(request.text, claim);
  if (version !== STATELESS_VERSION) {
    throw unsupportedVersion(version ?? '');
  }
  if (capabilities === null || request.text[capabilities.start] !== '{')
    throw malformedEnvelope(metaKey.clientCapabilities);
  const level = paramSpan(request, '_meta', metaKey.logLevel);
  if (level !== null && !LOG_LEVELS.includes(stringAt(request.text, level) ?? ''))
    throw malformedEnvelope(metaKey.logLevel);
  if (REMOVED.has(request.method)) {
    throw new AppError('mcp_method_unknown', `Method not found: ${request.method}`, { kind: 'not_found' });
  }
  return true;
}

const malformedEnvelope = (key: string): AppError =>
  new AppError('mcp_envelope_malformed', `Invalid params: _meta has no usable "${key}"`, { kind: 'invalid' });

export const unsupportedVersion = (requested: string): AppError =>
  new AppError('mcp_version_unsupported', 'Unsupported protocol version', {
    kind: 'invalid',
    detail: { requested: requested.slice(0, 40) },
  });

/** The answer with `resultType`, `ttlMs` and `cacheScope` where the server did not give them, or with the code that an error has now. */
export function finishStateless(method: string, answer: string): string {
  const said = membersOf(answer);
  const error = said?.get('error');
  const code = error === undefined ? null : find(answer, error.start, ['code']);
  if (code !== null && slice(answer, code) === String(rpcCode.resourceNotFound)) {
    return splice(answer, [{ ...code, text: String(rpcCode.invalidParams) }]);
  }
  const result = said?.get('result');
  const members = result === undefined ? null : membersOf(answer, result.start);
  if (result === undefined || members === null) return answer;
  const missing: string[] = [];
  if (!members.has('resultType')) missing.push('"resultType":"complete"');
  if (CACHEABLE.has(method)) {
    if (!members.has('ttlMs')) missing.push('"ttlMs":0');
    if (!members.has('cacheScope')) missing.push('"cacheScope":"private"');
  }
  if (missing.length === 0) return answer;
  return splice(answer, [insertMembers(answer, result.start, missing.join(','))]);
}

/** What a server of this revision says in its results, and no older one. */
const OWN_MEMBERS: ReadonlySet<string> = new Set(['resultType', 'ttlMs', 'cacheScope']);

/**
 * The answer for a client of an older revision, without what a server of this one says of itself and of keeping: clients that
 * show whatever a server adds would show that.
 */
export function withoutStateless(answer: string): string {
  if (!answer.includes('"resultType"')) return answer;
  const result = find(answer, 0, ['result']);
  const members = result === null ? null : membersOf(answer, result.start);
  if (result === null || members === null) return answer;
  if (stringAt(answer, members.get('resultType')) !== 'complete') return answer;
  const kept = [...members]
    .filter(([name]) => !OWN_MEMBERS.has(name))
    .map(([name, span]) => [name, name === '_meta' ? withoutServerInfo(answer, span) : slice(answer, span)])
    .flatMap(([name, value]) => (value === null ? [] : [`${JSON.stringify(name)}:${value}`]));
  return splice(answer, [{ ...result, text: `{${kept.join(',')}}` }]);
}

/** @returns null where nothing else is in it */
function withoutServerInfo(answer: string, meta: Span): string | null {
  const members = membersOf(answer, meta.start);
  if (members?.has(metaKey.serverInfo) !== true) return slice(answer, meta);
  return members.size === 1 ? null : keepMembers(answer, members, (name) => name !== metaKey.serverInfo);
}
