/**
 * What each request of revision 2026-07-28 says in `_meta`: its revision, and what its client is and can do. Taken off
 * where a client wrote it, put on where a server expects it; whatever else stands in `_meta` stays.
 */
import type { ClientFacts } from '../client/client-facts.ts';
import { paramSpan, readEnvelope, type RpcRequest } from './message.ts';
import { LOG_LEVELS, metaKey, STATELESS_VERSION } from './protocol.ts';
import { type Edit, insertMembers, keepMembers, membersOf, splice } from './raw-json.ts';

const KEYS: ReadonlySet<string> = new Set([
  metaKey.protocolVersion,
  metaKey.clientInfo,
  metaKey.clientCapabilities,
  metaKey.logLevel,
]);

/** The request as a server of an older revision expects it. */
export function withoutEnvelope(request: RpcRequest): RpcRequest {
  const meta = paramSpan(request, '_meta');
  const members = meta === null ? null : membersOf(request.text, meta.start);
  if (meta === null || members === null) return request;
  const kept = keepMembers(request.text, members, (name) => !KEYS.has(name));
  const text = splice(request.text, [{ ...meta, text: kept }]);
  const parsed = readEnvelope(text);
  if (!parsed.ok || parsed.value.kind !== 'request')
    throw new Error('a request without its envelope is no request');
  return parsed.value;
}

/**
 * What makes of a request one that says everything of itself.
 *
 * @param ownInfoText the gateway's name and version as JSON: who asks where the client did not say
 */
export function envelopeEdits(
  request: RpcRequest,
  client: ClientFacts,
  ownInfoText: string,
): readonly Edit[] {
  const values = new Map<string, string>([
    [metaKey.protocolVersion, JSON.stringify(STATELESS_VERSION)],
    [metaKey.clientInfo, client.infoText ?? ownInfoText],
    [metaKey.clientCapabilities, client.capabilitiesText],
  ]);
  // A session may ask for any: what is none is not for a server, which could be told anything in its place.
  if (client.logLevel !== null && LOG_LEVELS.includes(client.logLevel))
    values.set(metaKey.logLevel, JSON.stringify(client.logLevel));
  const { text } = request;
  const meta = paramSpan(request, '_meta');
  const present = meta === null ? null : membersOf(text, meta.start);
  const edits: Edit[] = [];
  const added: string[] = [];
  for (const [name, value] of values) {
    const span = present?.get(name);
    // A member that stands there already is replaced: one that is named twice counts for nobody knows what.
    if (span === undefined) added.push(`"${name}":${value}`);
    else edits.push({ ...span, text: value });
  }
  if (added.length === 0) return edits;
  const members = added.join(',');
  const params = request.members.get('params');
  if (meta !== null && present !== null) edits.push(insertMembers(text, meta.start, members));
  else if (meta !== null) edits.push({ ...meta, text: `{${members}}` });
  else if (params !== undefined) edits.push(insertMembers(text, params.start, `"_meta":{${members}}`));
  else edits.push(insertMembers(text, 0, `"params":{"_meta":{${members}}}`));
  return edits;
}
