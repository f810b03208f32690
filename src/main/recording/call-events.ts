/** What the audit log knows of what was asked in a recorded session: the requests that servers sent meanwhile. */
import type { RecordingLine } from '../../api/index.ts';
import type { AuditLog, RecordedEvent } from '../../audit/index.ts';
import { type Json, limits, type WorkspaceId } from '../../kernel/index.ts';
import type { Entry } from '../../recording/index.ts';
import type { RecordingRecord } from '../../store/index.ts';

/** Events are written a moment after what they are about, and clocks are set. */
const MARGIN_MS = 60_000;

/** A prompt or a resource while it was with its server: milliseconds since the session began. */
interface Stay {
  readonly cell: string;
  readonly fromMs: number;
  untilMs: number;
}

/** What of a session events can be about. Fed with its entries in their order. */
export class Errands {
  /** Ids of calls, which events name. */
  readonly calls = new Set<string>();
  /** By number of the request. Of these, events name the cell, and say when. */
  readonly #stays = new Map<number, Stay>();

  add(entry: Entry): void {
    if (entry.kind === 'call') this.calls.add(entry.call);
    if (entry.kind === 'asked')
      this.#stays.set(entry.request, { cell: entry.cell, fromMs: Math.floor(entry.ms), untilMs: Infinity });
    if (entry.kind !== 'message' || entry.type !== 'response' || entry.request === undefined) return;
    const stay = this.#stays.get(entry.request);
    // What a server sends right after its answer was most likely begun before.
    if (stay !== undefined) stay.untilMs = entry.ms + limits.callGraceMs;
  }

  /** Requests that were with a cell at a time, by the session's clock. */
  requestsAt(cell: string, ms: number): readonly number[] {
    return [...this.#stays].flatMap(([request, stay]) =>
      stay.cell === cell && stay.fromMs <= ms && ms <= stay.untilMs ? [request] : [],
    );
  }
}

/** @returns the events that are about any of them, and whether the log has the end of the session on record */
export async function callEvents(
  audit: Pick<AuditLog, 'export' | 'tail'>,
  workspace: WorkspaceId,
  { id, startedAt, updatedAt }: Pick<RecordingRecord, 'id' | 'startedAt' | 'updatedAt'>,
  errands: Errands,
): Promise<{ readonly events: readonly RecordingLine[]; readonly wasEnded: boolean }> {
  const events: RecordingLine[] = [];
  let wasEnded = false;
  const from = await firstSince(audit, workspace, startedAt - MARGIN_MS);
  let read = 0;
  for await (const event of audit.export(workspace, { from })) {
    read += 1;
    if (event.at > updatedAt + MARGIN_MS || read > limits.recordingAuditEventsMax) break;
    if (event.type === 'recording.ended' && event.data['recording'] === id) wasEnded = true;
    if (!event.type.startsWith('egress.') && event.type !== 'credential.used') continue;
    const calls = callsOf(event).filter((call) => errands.calls.has(call));
    const { at, type, actor, server, sequence, data } = event;
    const ms = at - startedAt;
    const requests = actor.kind === 'cell' ? [...errands.requestsAt(actor.id, ms)] : [];
    if (calls.length === 0 && requests.length === 0) continue;
    events.push({ kind: 'event', ms, sequence, type, server: server ?? null, calls, requests, data });
  }
  return { events, wasEnded };
}

/** Sequence of the first event at or after a time, as far as clocks go forward. */
async function firstSince(
  audit: Pick<AuditLog, 'export' | 'tail'>,
  workspace: WorkspaceId,
  at: number,
): Promise<number> {
  let [low, high] = [1, 1];
  for await (const event of audit.tail(workspace, { last: 1 })) high = event.sequence + 1;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    let isBefore = false;
    for await (const event of audit.export(workspace, { from: middle, to: middle })) isBefore = event.at < at;
    if (isBefore) low = middle + 1;
    else high = middle;
  }
  return low;
}

const idsOf = (call: Json): readonly string[] => {
  if (typeof call !== 'object' || call === null || !('id' in call)) return [];
  const id = call['id'];
  return typeof id === 'string' ? [id] : [];
};

function callsOf({ data }: RecordedEvent): readonly string[] {
  const calls: Json | undefined = data['calls'];
  if (!Array.isArray(calls)) return [];
  return calls.flatMap(idsOf);
}
