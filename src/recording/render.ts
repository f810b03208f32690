/** What is kept of a message at each level. Pure; nothing leaves it unmasked but numbers and fixed words. */
import { limits } from '../kernel/index.ts';
import type { RuleRequest, Subject } from '../policy/index.ts';
import { findJson, jsonMembers } from '../wire/index.ts';
import type { CallEntry, DecisionEntry, Hit, LeftOut, MessageEntry } from './entry.ts';
import { reaches, type RecordingLevel } from './level.ts';
import type { TextMask } from './masking.ts';

/** A message as it was said: valid JSON. */
export interface Said {
  readonly from: MessageEntry['from'];
  readonly ms: number;
  readonly text: string;
  /** Which of the client's requests it is, answers, or is about. */
  readonly request?: number;
}

/** @param mask null: what to mask is not known, so no text is kept */
export function messageEntry(said: Said, level: RecordingLevel, mask: TextMask | null): MessageEntry {
  const { from, ms, text, request } = said;
  const about = request === undefined ? {} : { request };
  const entry = {
    kind: 'message',
    ms,
    from,
    ...about,
    ...envelopeOf(said, mask),
    chars: text.length,
  } as const;
  if (!reaches(level, 'full')) return entry;
  const kept = keptText(text, mask);
  if (!('text' in kept)) return { ...entry, ...kept };
  // Cut after it was masked: half of a value is none that is found.
  const isCut = kept.text.length > limits.recordingMessageCharsMax;
  if (!isCut) return { ...entry, text: kept.text, ...kept.masked };
  return {
    ...entry,
    text: kept.text.slice(0, limits.recordingMessageCharsMax),
    left: 'rest_too_long',
    ...kept.masked,
  };
}

/** A request whose client gave up. */
export const cancelledEntry = (request: number, ms: number): MessageEntry => ({
  kind: 'message',
  ms,
  from: 'gateway',
  type: 'response',
  request,
  chars: 0,
  outcome: 'cancelled',
});

/** What is recorded of a question to the rules. */
export interface Asked
  extends Pick<
    RuleRequest,
    'server' | 'name' | 'users' | 'agents' | 'tokens' | 'now' | 'clientIp' | 'usage' | 'args' | 'annotations'
  > {
  readonly subject: Exclude<Subject, 'egress'>;
}

/** A request that the rules were asked about. */
export interface Judged {
  readonly ms: number;
  readonly request: number;
  readonly asked: Asked;
  readonly outcome: DecisionEntry['outcome'];
  /** The rule that it comes from; null: the default. */
  readonly rule: string | null;
}

export function decisionEntry(
  { ms, request, asked, outcome, rule }: Judged,
  level: RecordingLevel,
  mask: TextMask | null,
): DecisionEntry {
  const { subject, server, name, users, agents, tokens, now, clientIp, usage, args, annotations } = asked;
  const entry: DecisionEntry = {
    kind: 'decision',
    ms,
    request,
    subject,
    server,
    name: shortText(name, mask),
    at: now,
    outcome,
    rule,
    users,
    agents,
    tokens,
    ...(clientIp === undefined ? {} : { clientIp }),
    ...(usage === undefined ? {} : { usage: Object.fromEntries(usage) }),
    ...(annotations === undefined || mask === null ? {} : { annotations: mask.json(annotations).text }),
  };
  if (!reaches(level, 'arguments')) return entry;
  if (args === undefined) return { ...entry, arguments: null };
  if (args.length > limits.recordingMessageCharsMax) return { ...entry, left: 'too_long' };
  const kept = keptText(args, mask);
  return { ...entry, ...('text' in kept ? { arguments: kept.text, ...kept.masked } : kept) };
}

/** A call that is on its way. */
export interface Called {
  readonly ms: number;
  readonly request: number;
  readonly call: string;
  readonly cell: string;
  readonly server: string;
  readonly tool: string;
}

export const callEntry = (called: Called, mask: TextMask | null): CallEntry => ({
  kind: 'call',
  ...called,
  tool: shortText(called.tool, mask),
});

type Kept =
  | { readonly text: string; readonly masked: { readonly masked?: readonly Hit[] } }
  | { readonly left: LeftOut };

function keptText(text: string, mask: TextMask | null): Kept {
  if (mask === null) return { left: 'values_unknown' };
  if (text.length > limits.recordingMaskedCharsMax) return { left: 'too_long' };
  const { text: masked, hits } = mask.json(text);
  return { text: masked, masked: hits.length === 0 ? {} : { masked: hits } };
}

const TOO_LONG = '[too long]';

/** What a peer chose itself may hold anything. Cut after it was masked: half of a value is none that is found. */
function shortText(text: string, mask: TextMask | null): string {
  if (mask === null) return '?';
  if (text.length > limits.recordingMaskedNameCharsMax) return TOO_LONG;
  return mask.text(text).text.slice(0, limits.recordingNameCharsMax);
}

type Facts = Pick<MessageEntry, 'type' | 'id' | 'method' | 'outcome' | 'code'>;

function envelopeOf({ text }: Said, mask: TextMask | null): Facts {
  if (text.trimStart()[0] !== '{') return { type: 'unknown' };
  const members = new Map(jsonMembers(text).map(({ key, start, end }) => [key, { start, end }]));
  const written = (name: string): string | undefined => {
    const span = members.get(name);
    return span === undefined ? undefined : text.slice(span.start, span.end);
  };
  const id = written('id');
  const named = id === undefined ? {} : { id: shortText(id, mask) };
  const method = written('method');
  if (method !== undefined) {
    const said = { method: shortText(method.slice(1, -1), mask) };
    return id === undefined ? { type: 'notification', ...said } : { type: 'request', ...named, ...said };
  }
  if (members.has('error')) {
    // The gateway's own errors have a word in their data, servers' a number.
    const span = findJson(text, ['error', 'data', 'code']) ?? findJson(text, ['error', 'code']);
    const said = span === null ? '' : text.slice(span.start, span.end);
    const code = shortText(said, mask).replaceAll('"', '');
    return { type: 'response', ...named, outcome: 'error', code };
  }
  const failed = findJson(text, ['result', 'isError']);
  const isError = failed !== null && text.slice(failed.start, failed.end) === 'true';
  return { type: 'response', ...named, outcome: isError ? 'tool_error' : 'ok' };
}
