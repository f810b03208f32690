/**
 * Events of the audit log to what they add to the counts of a day. Pure: the same events give the same counts, so that
 * what is kept can be made anew from the log. Names come from events, which callers and servers have a part in: whoever
 * keeps the counts bounds how many there are.
 */
import type { RecordedEvent } from '../audit/index.ts';
import type { Json, JsonObject } from '../kernel/index.ts';
import { type Counts, latencyOf, NOTHING, sum } from './counts.ts';

/** What counts are kept for. Empty: it is not known, or not one alone. */
export interface UsageKey {
  /** In UTC, `2026-11-21`. */
  readonly day: string;
  readonly server: string;
  readonly tool: string;
  /** Name of the agent that the token was made for. */
  readonly agent: string;
  /** `token:ID`, `user:ID`, `local:ID`. */
  readonly actor: string;
}

export interface Usage extends UsageKey {
  readonly counts: Counts;
}

export const dayOf = (at: number): string => new Date(at).toISOString().slice(0, 10);
export const keyText = ({ day, server, tool, agent, actor }: UsageKey): string =>
  JSON.stringify([day, server, tool, agent, actor]);

export function fold(events: readonly RecordedEvent[]): readonly Usage[] {
  const found = new Map<string, Usage>();
  for (const event of events) {
    const added = usageOf(event);
    if (added === null) continue;
    const text = keyText(added);
    const before = found.get(text);
    found.set(text, before === undefined ? added : { ...before, counts: sum(before.counts, added.counts) });
  }
  return [...found.values()];
}

function usageOf(event: RecordedEvent): Usage | null {
  const { type, data } = event;
  if (type === 'call.finished') return { ...calledBy(event), counts: counts(callCounts(data)) };
  if (type === 'call.refused') return { ...calledBy(event), counts: counts({ denied: 1 }) };
  if (type === 'egress.finished') return { ...sentFor(event), counts: counts(requestCounts(data)) };
  if (type === 'egress.refused') return { ...sentFor(event), counts: counts({ requestsDenied: 1 }) };
  return null;
}

const counts = (some: Partial<Counts>): Counts => ({ ...NOTHING, ...some });

function callCounts(data: JsonObject): Partial<Counts> {
  const ms = whole(data['durationMs']);
  const outcome = text(data['outcome']);
  return {
    calls: 1,
    ok: outcome === 'ok' ? 1 : 0,
    toolErrors: outcome === 'tool_error' ? 1 : 0,
    errors: outcome === 'error' ? 1 : 0,
    cancelled: outcome === 'cancelled' ? 1 : 0,
    failed: outcome === 'failed' ? 1 : 0,
    durationMs: ms,
    latency: latencyOf(ms),
  };
}

function requestCounts(data: JsonObject): Partial<Counts> {
  const status = data['status'];
  const isAnswered = typeof status === 'number' && status < 500;
  return {
    requests: 1,
    requestErrors: isAnswered ? 0 : 1,
    requestBytes: whole(data['requestBytes']),
    responseBytes: whole(data['responseBytes']),
  };
}

/**
 * What nobody offers, and what was refused before anybody looked whether somebody does, may have any name: whoever calls could
 * fill the day's keys. Those are counted together.
 */
const NAMELESS: ReadonlySet<string> = new Set([
  'tool_unknown',
  'mcp_server_unknown',
  'mcp_profile_unknown',
  'kill_active',
  'server_not_selected',
  'mcp_input_state_invalid',
]);

function calledBy({ at, server, actor, data }: RecordedEvent): UsageKey {
  return {
    day: dayOf(at),
    server: server ?? '',
    tool: NAMELESS.has(text(data['code'])) ? '' : text(data['tool']),
    agent: text(data['agent']),
    actor: `${actor.kind}:${actor.id}`,
  };
}

/** Whose call it belongs to, where that is certain. */
function sentFor({ at, server, data }: RecordedEvent): UsageKey {
  const given = data['calls'];
  const [call, another] = Array.isArray(given) ? given : [];
  const isCertain = data['attribution'] === 'only' || data['attribution'] === 'late';
  const key = { day: dayOf(at), server: server ?? '', tool: '', agent: '', actor: '' };
  if (!isCertain || another !== undefined || !isObject(call)) return key;
  const { tool, agent, token, user, actor } = call;
  const kind = typeof token === 'string' ? 'token' : typeof user === 'string' ? 'user' : 'local';
  return { ...key, tool: text(tool), agent: text(agent), actor: `${kind}:${text(actor)}` };
}

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const text = (value: Json | undefined): string => (typeof value === 'string' ? value : '');
const whole = (value: Json | undefined): number =>
  typeof value === 'number' && value > 0 && value <= Number.MAX_SAFE_INTEGER ? Math.round(value) : 0;
