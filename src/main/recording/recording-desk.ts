/** What the operator does with recordings: list, read, export, hold against rules, delete. Reading is on record, too. */
import type { RecordingDesk, RecordingLine, RejudgeReport } from '../../api/index.ts';
import type { Actor, AuditLog } from '../../audit/index.ts';
import { AppError, type Clock, limits, type WorkspaceId } from '../../kernel/index.ts';
import type { RuleBook } from '../../mcp/index.ts';
import { combineRules, decodePolicy, type Rules } from '../../policy/index.ts';
import { type Entry, keyContext, RecordingReader, type SessionFacts } from '../../recording/index.ts';
import type { KeyRing } from '../../seal/index.ts';
import type { RecordingRecord, Store } from '../../store/index.ts';
import { callEvents, Errands } from './call-events.ts';
import { HeldAgainst } from './held-against.ts';

export interface RecordingDeskDeps {
  readonly workspace: WorkspaceId;
  readonly operator: Actor;
  readonly store: Pick<Store, 'recordings'>;
  readonly ring: Pick<KeyRing, 'unwrap'>;
  readonly audit: Pick<AuditLog, 'append' | 'export' | 'tail'>;
  readonly rules: Pick<RuleBook, 'rulesOf'>;
  readonly recordings: { flush(): Promise<void>; growing(): ReadonlySet<string> };
  readonly clock: Clock;
}

type Checked = Extract<RecordingLine, { kind: 'checked' }>;

export function recordingDesk(deps: RecordingDeskDeps): RecordingDesk {
  const { workspace, operator, store, ring, audit, recordings } = deps;

  async function need(id: string): Promise<RecordingRecord> {
    await recordings.flush();
    const found = await store.recordings.find(workspace, id);
    if (found !== null) return found;
    throw new AppError('recording_not_found', `There is no recording \`${id}\`.`, {
      kind: 'not_found',
      hint: 'See them: `sallyport session list`.',
    });
  }

  const record = (
    type: 'recording.read' | 'recording.removed',
    id: string,
    data: { readonly [name: string]: string },
  ) => audit.append({ workspace, type, actor: operator, data: { recording: id, ...data } });

  const view = (row: RecordingRecord) => {
    const { dataKey: _, servers, ...rest } = row;
    return { ...rest, servers: [...servers], isGrowing: recordings.growing().has(row.id) };
  };

  /** What is sound of it, and at the end what is not. */
  async function* read(row: RecordingRecord): AsyncGenerator<Entry | Checked, void, void> {
    const secret = await ring.unwrap(row.dataKey, keyContext(workspace, row.id));
    const reader = new RecordingReader(workspace, factsOf(row), secret);
    try {
      for (let from = 0; ; ) {
        const chunks = await store.recordings.chunks(workspace, row.id, from, limits.recordingChunksReadMax);
        for (const chunk of chunks) yield* reader.read(chunk);
        const last = chunks.at(-1);
        if (last === undefined) break;
        from = last.sequence + 1;
      }
    } finally {
      secret.destroy();
    }
    const isGrowing = recordings.growing().has(row.id);
    const isEnded = reader.finish(row.endedAt !== null);
    yield {
      kind: 'checked',
      end: isEnded ? 'there' : isGrowing ? 'not_yet' : 'missing',
      faults: reader.faults.map((fault) => ({ ...fault })),
    };
  }

  return {
    async list({ profile, server, since }) {
      await recordings.flush();
      const rows = await store.recordings.list(workspace, {
        ...(profile === undefined ? {} : { profile }),
        ...(server === undefined ? {} : { server }),
        ...(since === undefined ? {} : { since }),
        limit: limits.recordingsListedMax,
      });
      return rows.map(view);
    },
    show: async (id) => view(await need(id)),
    async *lines(id, purpose) {
      const row = await need(id);
      await record('recording.read', id, { for: purpose });
      const errands = new Errands();
      let checked: Checked | null = null;
      for await (const line of read(row)) {
        if (line.kind === 'checked') checked = line;
        else {
          errands.add(line);
          yield line;
        }
      }
      const { events, wasEnded } = await callEvents(audit, workspace, row, errands);
      yield* events;
      if (checked !== null) yield withAudit(checked, wasEnded);
    },
    async rejudge(id, text) {
      const row = await need(id);
      await record('recording.read', id, { for: 'replay' });
      const rules = text === null ? await deps.rules.rulesOf(workspace, row.profile) : rulesIn(text);
      const requests = new HeldAgainst();
      let checked: Checked | null = null;
      for await (const line of read(row)) {
        if (line.kind === 'checked') checked = line;
        else requests.add(line);
      }
      return reportOf(requests.against(rules, row), checked);
    },
    async remove(id) {
      const { endedAt, updatedAt } = await need(id);
      if (recordings.growing().has(id))
        throw growing('Delete its recording once it has ended, or set its profile to --record off.');
      if (endedAt === null && updatedAt > deps.clock.now() - limits.recordingElsewhereMs)
        throw growing(
          `Another process may be at it. Without an end, it can be deleted ${limits.recordingElsewhereMs / 60_000} minutes after its last message.`,
        );
      await record('recording.removed', id, { reason: 'asked' });
      await store.recordings.remove(workspace, id);
    },
  };
}

const growing = (hint: string): AppError =>
  new AppError('recording_growing', 'This session still goes on.', { kind: 'conflict', hint });

/** The audit knows that a session was ended, also where whoever cut its recording short took that back. */
function withAudit(checked: Checked, wasEnded: boolean): Checked {
  if (checked.end === 'there' || !wasEnded) return checked;
  if (checked.faults.some(({ code }) => code === 'end_missing')) return checked;
  return { ...checked, faults: [...checked.faults, { code: 'end_missing', chunk: null }] };
}

const factsOf = (row: RecordingRecord): SessionFacts => {
  const { id, profile, server, actor, agent, via, startedAt } = row;
  return { id, profile, server, actor, agent, via, startedAt };
};

function rulesIn(text: string): Rules {
  const read = decodePolicy(text, 'policy');
  if (read.ok) return combineRules([read.value.rules]);
  const [first] = read.error;
  throw new AppError(first?.code ?? 'policy_invalid', `Line ${first?.line ?? 1}: ${first?.message ?? ''}.`, {
    kind: 'invalid',
    hint: 'See all that is wrong: `sallyport policy check FILE`.',
  });
}

function reportOf(requests: RejudgeReport['requests'], checked: Checked | null): RejudgeReport {
  return {
    requests,
    changed: requests.filter(({ before, after, unsure }) => unsure === null && before !== after).length,
    unsure: requests.filter(({ unsure }) => unsure !== null).length,
    refused: requests.filter(
      ({ ran, before, after, unsure }) => ran && unsure === null && after !== before && after !== 'allow',
    ).length,
    faults: checked?.faults ?? [],
  };
}
