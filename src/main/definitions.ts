/**
 * What servers offer to agents, kept in the store: what is agreed to, what waits for a decision, what was turned down.
 * The front asks at every request, the operator decides. Agents can make something wait, and nothing else.
 */
import type { Decision, DefinitionDesk, ServerRow } from '../api/index.ts';
import type { Actor, AuditEventType, AuditLog } from '../audit/index.ts';
import { AppError, type Clock, limits, type Log, type WorkspaceId } from '../kernel/index.ts';
import { type Definitions, isApprovable, pinVerdict, type SeenDefinition } from '../mcp/index.ts';
import type { DefinitionRecord, Store } from '../store/index.ts';
import { approvedTools } from './approved-tools.ts';
import { definitionReport, isNothing, keyOf } from './definition-report.ts';

export interface KeptDefinitionsDeps {
  readonly workspace: WorkspaceId;
  /** Who decides. */
  readonly operator: Actor;
  readonly store: Pick<Store, 'definitions' | 'servers' | 'transaction' | 'revision'>;
  readonly audit: Pick<AuditLog, 'append'>;
  /** Starts the server, asks it for all that it offers, and ends it. */
  readonly ask: (slug: string, withinMs: number) => Promise<readonly SeenDefinition[]>;
  readonly clock: Clock;
  readonly log: Log;
}

export interface KeptDefinitions extends DefinitionDesk, Definitions {
  /** Anything may have changed: another process wrote to the store. */
  settle(): Promise<void>;
  /** Writes down what waits. */
  close(): Promise<void>;
}

type Hashes = ReadonlyMap<string, string>;

/** What is agreed to of one server. */
interface Approved {
  readonly hashes: Hashes;
  /** As JSON; null: nobody agreed to any. */
  readonly instructions: string | null;
}
type Place = Pick<DefinitionRecord, 'kind' | 'name' | 'hash'>;

/** What one server was seen to offer. The server that had the name then: another may have it by the time it is written down. */
interface Batch {
  readonly row: Promise<ServerRow | null>;
  readonly seen: Map<string, SeenDefinition>;
  /** Of all that were put in. */
  chars: number;
}

/** Whose sight of a definition made it wait, where no operator asked for it. */
const GATEWAY: Actor = { kind: 'system', id: 'gateway' };

export function keptDefinitions(deps: KeptDefinitionsDeps): KeptDefinitions {
  const { workspace, store, audit, clock, log } = deps;
  const searched = approvedTools(workspace, store);
  /** As of one revision of the store. */
  let cached = { revision: -1, approved: new Map<string, Promise<Approved>>() };
  /** By server: what agents' requests brought to light and is not written down yet. */
  const waiting = new Map<string, Batch>();
  /** By server: what was agreed to when somebody asked last, as one text. */
  const known = new Map<string, string>();
  const listeners = new Set<(slug: string) => void>();
  let timer: NodeJS.Timeout | null = null;
  let writing: Promise<void> = Promise.resolve();

  const newBatch = (slug: string): Batch => ({
    row: store.servers.findBySlug(workspace, slug),
    seen: new Map(),
    chars: 0,
  });

  /** None: nobody has looked at this server yet. */
  function approvedOf(slug: string): Promise<Approved> {
    // Taken before reading: a change in between makes the next request read again.
    const revision = store.revision();
    if (cached.revision !== revision) cached = { revision, approved: new Map() };
    const { approved } = cached;
    const found = approved.get(slug) ?? readApproved(slug);
    approved.set(slug, found);
    found.catch(() => approved.delete(slug));
    return found;
  }

  async function readApproved(slug: string): Promise<Approved> {
    const row = await store.servers.findBySlug(workspace, slug);
    const approved = row === null ? [] : await store.definitions.list(workspace, row.id, 'approved');
    const hashes = new Map(approved.map((one) => [keyOf(one), one.hash]));
    if (!known.has(slug)) known.set(slug, asText(hashes));
    const instructions = approved.find(({ kind }) => kind === 'instructions')?.text ?? null;
    return { hashes, instructions };
  }

  /** Tells who listens of the servers of which something else is agreed to than before. */
  async function settle(): Promise<void> {
    for (const slug of known.keys()) {
      const now = asText((await approvedOf(slug)).hashes);
      if (now === known.get(slug)) continue;
      known.set(slug, now);
      for (const listener of listeners) listener(slug);
    }
  }

  /** One after the other: each compares with what is there. */
  function next<T>(work: () => Promise<T>): Promise<T> {
    const done = writing.then(work);
    writing = done.then(
      () => undefined,
      () => undefined,
    );
    return done;
  }

  /**
   * Keeps what is not agreed to, so that somebody can decide about it.
   *
   * @param isAll it is everything that the server offers: what else waits, waits no more
   */
  async function keep(
    row: Pick<ServerRow, 'id' | 'slug'>,
    seen: readonly SeenDefinition[],
    { by, isAll }: { readonly by: Actor; readonly isAll: boolean },
  ): Promise<void> {
    const records = await store.definitions.list(workspace, row.id);
    const places = Map.groupBy(records, keyOf);
    const at = (one: Place): readonly DefinitionRecord[] => places.get(keyOf(one)) ?? [];
    const listed = new Set(seen.map(keyOf));
    const hasApproved = records.some(({ state }) => state === 'approved');
    const fresh = seen.filter(
      (one) =>
        !at(one).some(({ hash }) => hash === one.hash) &&
        isApprovable(one.text) &&
        // That a server gives no instructions any more changes nothing for the worse.
        !(isNothing(one) && hasApproved),
    );
    const shown = new Set(seen.map(({ hash }) => hash));
    const isBack = (one: DefinitionRecord): boolean =>
      at(one).some(({ state, hash }) => state === 'approved' && shown.has(hash));
    const pending = records.filter(({ state }) => state === 'pending');
    const over = new Set(isAll ? pending.filter((one) => !listed.has(keyOf(one)) || isBack(one)) : []);
    const staying = pending.filter((one) => !over.has(one));
    const kept = fitting(fresh, staying);
    if (kept.length === 0 && over.size === 0) return;
    if (kept.length > 0) await record('definitions.seen', { actor: by, server: row.slug }, kept);
    await store.transaction(async ({ definitions }) => {
      const server = row.id;
      for (const { kind, name } of over)
        await definitions.remove(workspace, { server, kind, name, state: 'pending' });
      const facts = { server, state: 'pending', at: clock.now(), by: by.id } as const;
      const waiting = kept.map(({ kind, name, hash, text }) => ({ ...facts, kind, name, hash, text }));
      await definitions.save(workspace, waiting);
    });
  }

  async function decideNow(
    row: ServerRow,
    decision: Decision['decision'],
    wanted: Decision['definitions'],
  ): Promise<void> {
    const records = await store.definitions.list(workspace, row.id);
    const open = records.filter(
      ({ state }) => state === 'pending' || (state === 'rejected' && decision === 'approve'),
    );
    const found = wanted.map((one) =>
      open.find((other) => keyOf(other) === keyOf(one) && other.hash === one.hash),
    );
    const named = found.filter((one) => one !== undefined);
    if (named.length !== wanted.length) throw notWaiting(row.slug);
    // That a server gives no instructions goes with the first that is agreed to of it.
    const decided = new Set([...named, ...(decision === 'approve' ? open.filter(isNothing) : [])]);
    const type = decision === 'approve' ? 'definitions.approved' : 'definitions.rejected';
    await record(type, { actor: deps.operator, server: row.slug }, [...decided]);
    await store.transaction(async ({ definitions }) => {
      const state = decision === 'approve' ? 'approved' : 'rejected';
      const facts = { server: row.id, state, at: clock.now(), by: deps.operator.id } as const;
      const settled = [...decided].map(({ kind, name, hash, text }) => ({
        ...facts,
        kind,
        name,
        hash,
        text,
      }));
      for (const { server, kind, name } of settled) {
        await definitions.remove(workspace, { server, kind, name, state: 'pending' });
        await definitions.remove(workspace, { server, kind, name, state: 'rejected' });
      }
      await definitions.save(workspace, settled);
    });
  }

  async function record(
    type: AuditEventType,
    about: { readonly actor: Actor; readonly server: string },
    all: readonly Place[],
  ): Promise<void> {
    const definitions = all.slice(0, limits.definitionsRecordedMax).map(({ kind, name, hash }) => ({
      kind,
      name: name.slice(0, limits.toolNameShownCharsMax),
      hash,
    }));
    await audit.append({
      workspace,
      type,
      ...about,
      data: { definitions, more: all.length - definitions.length },
    });
  }

  async function writeDown(): Promise<void> {
    const batches = [...waiting];
    waiting.clear();
    for (const [slug, { row: then, seen }] of batches) {
      const row = await then;
      const now = await store.servers.findBySlug(workspace, slug);
      if (row !== null && row.id === now?.id)
        await keep(row, [...seen.values()], { by: GATEWAY, isAll: false });
    }
  }

  async function flush(): Promise<void> {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    await next(writeDown).catch((error: unknown) => {
      log.error('definitions.not_kept', { error: String(error) });
    });
  }

  async function report(row: ServerRow, listed: readonly SeenDefinition[] | null) {
    const others = (await store.servers.list(workspace)).filter(({ id }) => id !== row.id);
    const names = others.map(async ({ id, slug }) =>
      (await store.definitions.list(workspace, id))
        .filter(({ state, kind }) => state === 'approved' && kind === 'tool')
        .map(({ name }) => ({ server: slug, name })),
    );
    const records = await store.definitions.list(workspace, row.id);
    return definitionReport({ server: row.slug, records, listed, others: (await Promise.all(names)).flat() });
  }

  return {
    async judge(of, slug) {
      const approved = of === workspace ? (await approvedOf(slug)).hashes : new Map<string, string>();
      return (seen) => pinVerdict(approved, seen);
    },
    approvedTools: async (of, slug) => (of === workspace ? searched(slug) : null),
    approvedInstructions: async (of, slug) =>
      of === workspace ? (await approvedOf(slug)).instructions : null,
    withheld(of, slug, seen) {
      if (of !== workspace) return;
      const batch = waiting.get(slug) ?? newBatch(slug);
      batch.row.catch(() => undefined);
      waiting.set(slug, batch);
      for (const one of seen) {
        const isFull = batch.seen.size >= limits.definitionsPendingMax;
        if (isFull || batch.chars + one.text.length > limits.definitionsPendingCharsMax) continue;
        batch.seen.set(keyOf(one), one);
        batch.chars += one.text.length;
      }
      timer ??= setTimeout(() => void flush(), limits.definitionsSeenIntervalMs).unref();
    },
    onApproved(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    view: (row) => report(row, null),
    async count(row) {
      const records = await store.definitions.list(workspace, row.id);
      const shown = records.filter((one) => !isNothing(one));
      return {
        looked: records.some(({ state }) => state === 'approved'),
        approved: shown.filter(({ state }) => state === 'approved').length,
        withheld: shown.filter(({ state }) => state === 'pending').length,
      };
    },
    async look(row, withinMs = limits.definitionsLookMs) {
      const seen = await deps.ask(row.slug, withinMs);
      // What agents met until now is older than this answer: written down after it, it would take its place.
      const written = flush();
      await next(() => keep(row, seen, { by: deps.operator, isAll: true }));
      await written;
      const tooLong = seen.filter(({ text }) => !isApprovable(text));
      const problem = tooLong.length === 0 ? null : tooLongFor(tooLong.map(({ name }) => name));
      return { ...(await report(row, seen)), problem };
    },
    async decide(row, decision, wanted) {
      await next(() => decideNow(row, decision, wanted));
      await settle();
      return report(row, null);
    },
    settle,
    close: flush,
  };
}

/** The first of them that there is still room for beside what waits. */
function fitting(fresh: readonly SeenDefinition[], waiting: readonly { readonly text: string }[]) {
  let places = limits.definitionsPendingMax - waiting.length;
  let chars = limits.definitionsPendingCharsMax - sumOf(waiting);
  return fresh.filter(({ text }) => {
    places -= 1;
    chars -= text.length;
    return places >= 0 && chars >= 0;
  });
}

const sumOf = (texts: readonly { readonly text: string }[]): number =>
  texts.reduce((sum, { text }) => sum + text.length, 0);

const asText = (hashes: Hashes): string =>
  [...hashes]
    .map((pair) => JSON.stringify(pair))
    .toSorted()
    .join();

const tooLongFor = (names: readonly string[]) => ({
  code: 'definition_too_long',
  message: `Longer than ${limits.definitionCharsMax} characters or deeper than ${limits.jsonDepthMax} levels, and withheld for that: ${names.slice(0, 10).join(', ')}`,
});

const notWaiting = (slug: string): AppError =>
  new AppError('definition_not_waiting', `Not all of that waits for a decision at \`${slug}\`, as it was.`, {
    kind: 'conflict',
    hint: `It may have changed meanwhile. Look again: \`sallyport server consent ${slug}\`.`,
  });
