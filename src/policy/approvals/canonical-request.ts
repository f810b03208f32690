/**
 * What an approval is bound to: a request in the one form that every way to write it has. Whoever agrees has agreed to
 * this and nothing else, so whatever may make a difference is in it: who asks, through which profile, of which server as it
 * is set up now, what, with which arguments and what else, what its definition said, and why anybody is asked at all. The
 * order of members, spaces and escapes make none.
 *
 * Arguments that two readers could read differently have no such form: members named twice, numbers that no double holds,
 * halves of characters.
 */
import { err, limits, ok, type Result } from '../../kernel/index.ts';
import { canonicalJson, checkJson, type JsonError } from '../../wire/index.ts';
import type { Subject } from '../rules/request.ts';
import type { ApprovalAsk } from './approval.ts';

export interface HeldRequest {
  readonly workspace: string;
  /** Who asks, as the gateway knows it: `token:tok_…`, `local:1000`. */
  readonly requester: string;
  /** Null: the local operator's view of all servers. */
  readonly profile: string | null;
  /** The server's slug. */
  readonly server: string;
  /** What names the server as it is set up: its manifest, its package, its credentials. Null: there is none. */
  readonly serverState: string | null;
  readonly subject: Exclude<Subject, 'egress'>;
  /** The server's own name of the tool or prompt, or the resource's URI. */
  readonly name: string;
  /** Of what the server says of it; null: it says nothing. */
  readonly definitionHash: string | null;
  /** As the client wrote them; null: none. */
  readonly argumentsText: string | null;
  /** Parameters beside them, a client's answers to its server's questions included, as it wrote them: an object; null: none. */
  readonly besideText: string | null;
  /** Ids of the rules that hold it back, */
  readonly rules: readonly string[];
  /** and what they ask for together. */
  readonly ask: ApprovalAsk;
}

const DOMAIN = 'sallyport/approval/2';

/** @returns one JSON array without spaces; its SHA-256 names the request */
export function canonicalRequest(request: HeldRequest): Result<string, JsonError> {
  const { workspace, requester, profile, server, serverState, subject, name, definitionHash } = request;
  const [given, beside] = [canonicalOf(request.argumentsText), canonicalOf(request.besideText)];
  if (!given.ok) return given;
  if (!beside.ok) return beside;
  const { people, expireMinutes, justification } = request.ask;
  const why = [request.rules.toSorted(), people, expireMinutes, justification];
  const parts = [DOMAIN, workspace, requester, profile, server, serverState, subject, name, definitionHash];
  const texts = [...parts, why].map((part) => JSON.stringify(part));
  return ok(`[${[...texts, given.value, beside.value].join(',')}]`);
}

function canonicalOf(text: string | null): Result<string, JsonError> {
  if (text === null) return ok('null');
  const checked = checkJson(text, BOUNDS);
  return checked.ok ? ok(canonicalJson(checked.value)) : err(checked.error);
}

const BOUNDS = { charsMax: limits.approvalArgumentsCharsMax };
