/**
 * Who writes what the recorder hands over: makes entries of it, masks them, seals them, and has them stored. All that costs
 * time is here, so that it can be on a thread that nobody waits for. It keeps what to mask, and nothing of any session.
 */
import { AppError, type Secret, type WorkspaceId } from '../kernel/index.ts';
import { chunkContext, chunksOf, KEY_ID, sealChunk } from './chunk.ts';
import type { Entry } from './entry.ts';
import type { Batch, BatchOutcome, Part, RecordingLink, Spoken, Written } from './handover.ts';
import type { RecordingLevel } from './level.ts';
import { type TextMask, textMask } from './masking.ts';
import type { Growth, WriterPorts } from './ports.ts';
import { callEntry, cancelledEntry, decisionEntry, messageEntry } from './render.ts';

export class RecordingWriter implements RecordingLink {
  readonly epoch = 0;
  readonly #ports: WriterPorts;
  readonly #masks = new Map<WorkspaceId, TextMask>();

  constructor(ports: WriterPorts) {
    this.#ports = ports;
  }

  learn(workspace: WorkspaceId, values: readonly Secret[]): void {
    // Where it cannot be made, what was known before is not all that there is.
    this.#masks.delete(workspace);
    this.#masks.set(workspace, textMask(this.#ports.scrubOf(values)));
  }

  async write({ workspace, at, areValuesKnown, parts }: Batch): Promise<BatchOutcome> {
    const mask = areValuesKnown ? (this.#masks.get(workspace) ?? null) : null;
    const growths = parts.map((part) => growthOf(workspace, part, mask, at));
    try {
      const removed = new Set(await this.#ports.append(workspace, growths));
      return {
        ok: true,
        written: growths.map(({ session, total }) => (removed.has(session) ? null : total)),
      };
    } catch (error) {
      return { ok: false, why: error instanceof AppError ? error.code : String(error) };
    }
  }

  async close(): Promise<void> {
    this.#masks.clear();
  }
}

function growthOf(workspace: WorkspaceId, part: Part, mask: TextMask | null, at: number): Growth {
  const { facts, secret, dataKey, from, spoken, lost, endedMs } = part;
  const isNew = from.chunks === 0;
  const entries: Entry[] = isNew ? [{ kind: 'session', ms: 0, facts }] : [];
  const servers = new Set<string>();
  let calls = 0;
  for (const { said, level } of spoken) {
    const entry = entryOf(said, level, mask);
    entries.push(entry);
    if (entry.kind === 'call') calls += 1;
    if (entry.kind === 'decision') servers.add(entry.server);
  }
  if (lost !== null) entries.push({ kind: 'dropped', ...lost });
  if (endedMs !== null) entries.push({ kind: 'end', ms: endedMs, entries: from.entries + entries.length });
  const key = { id: KEY_ID, secret };
  const chunks: Buffer[] = [];
  for (const plaintext of chunksOf(entries))
    chunks.push(sealChunk(plaintext, key, chunkContext(workspace, facts.id, from.chunks + chunks.length)));
  const total: Written = {
    chunks: from.chunks + chunks.length,
    entries: from.entries + entries.length,
    calls: from.calls + calls,
    dropped: from.dropped + (lost?.messages ?? 0),
  };
  return {
    session: facts.id,
    begun: isNew ? { facts, dataKey } : null,
    from: from.chunks,
    chunks,
    total,
    servers: [...servers],
    at,
    isEnded: endedMs !== null,
  };
}

function entryOf(said: Spoken, level: RecordingLevel, mask: TextMask | null): Entry {
  switch (said.kind) {
    case 'said':
      return messageEntry(said, level, mask);
    case 'judged':
      return decisionEntry(said, level, mask);
    case 'called': {
      const { ms, request, call, cell, server, tool } = said;
      return callEntry({ ms, request, call, cell, server, tool }, mask);
    }
    case 'asked': {
      const { kind, ms, request, cell, server } = said;
      return { kind, ms, request, cell, server };
    }
    case 'cancelled':
      break;
  }
  return cancelledEntry(said.request, said.ms);
}
