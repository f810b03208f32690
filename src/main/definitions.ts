/**
 * What servers offer to agents, kept in the store: what is agreed to, what waits for a decision, what was turned down.
 * The front asks at every request, the operator decides. Agents can make something wait, and nothing else.
 */
import type { Decision, DefinitionDesk, ServerRow } from '../api/index.ts';
import type { Actor, AuditEventType, AuditLog } from '../audit/index.ts';
import { AppError, type Clock, limits, type Log, type WorkspaceId } from '../kernel/index.ts';
import { type Definitions, pinVerdict, type SeenDefinition } from '../mcp/index.ts';
import type { DefinitionRecord, Store } from '../store/index.ts';
import { definitionReport, isNothing, keyOf } from './definition-report.ts';

export interface KeptDefinitionsDeps {
  readonly workspace: WorkspaceId;
  /** Who decides. */
  readonly operator: Actor;
  readonly store: Pick<Store, 'definitions' | 'servers' | 'transaction' | 'revision'>;
  readonly audit: Pick<AuditLog, 'append'>;
  /** Starts the server, asks it for all that it offers, and ends it. */
  readonly ask: (slug: string) => Promise<readonly SeenDefinition[]>;
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
type Place = Pick<DefinitionRecord, 'kind' | 'name' | 'hash'>;

/** What one server was seen to offer. The server that had the name then: another may have it by the time it is written down. */
interface Batch {
  readonly row: Promise<ServerRow | null>;
  readonly seen: Map<string, SeenDefinition>;
}

/** Whose sight of a definition made it wait, where no operator asked for it. */
const GATEWAY: Actor = { kind: 'system', id: 'gateway' };

export function keptDefinitions(deps: KeptDefinitionsDeps): KeptDefinitions {
  const { workspace, store, audit, clock, log } = deps;
  /** As of one revision of the store. */
  let cached = { revision: -1, approved: new Map<string, Promise<Hashes>>() };
  /** By server: what agents' requests brought to light and is not written down yet. */
  const waiting = new Map<string, Batch>();
  /** By server: what was agreed to when somebody asked last, as one text. */
  const known = new Map<string, string>();
  const listeners = new Set<(slug: string) => void>();
  let timer: NodeJS.Timeout | null = null;
  let writing: Promise<void> = Promise.resolve();

  /** None: nobody has looked at this server yet. */
  function approvedOf(slug: string): Promise<Hashes> {
    // Taken before reading: a change in between makes the next request read again.
    const revision = store.revision();
    if (cached.revision !== revision) cached = { revision, approved: new Map() };
    const { approved } = cached;
    const found = approved.get(slug) ?? readApproved(slug);
    approved.set(slug, found);
    found.catch(() => approved.delete(slug));
    return found;
  }

  async function readApproved(slug: string): Promise<Hashes> {
    const row = await store.servers.findBySlug(workspace, slug);
    const records = row === null ? [] : await store.definitions.list(workspace, row.id);
    const approved = records.filter(({ state }) => state === 'approved');
    const hashes = new Map(approved.map((one) => [keyOf(one), one.hash]));
    if (!known.has(slug)) known.set(slug, asText(hashes));
    return hashes;
  }

  /** Tells who listens of the servers of which something else is agreed to than before. */
  async function settle(): Promise<void> {
    for (const slug of known.keys()) {
      const now = asText(await approvedOf(slug));
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
    const at = (one: Place): readonly DefinitionRecord[] =>
      records.filter((other) => keyOf(other) === keyOf(one));
    const hasApproved = records.some(({ state }) => state === 'approved');
    const fresh = seen.filter(
      (one) =>
        !at(one).some(({ hash }) => hash === one.hash) &&
        one.text.length <= limits.definitionCharsMax &&
        // That a server gives no instructions any more changes nothing for the worse.
        !(isNothing(one) && hasApproved),
    );
    const isListed = (one: DefinitionRecord): boolean => seen.some((now) => keyOf(now) === keyOf(one));
    const isBack = (one: DefinitionRecord): boolean =>
      seen.some((now) => at(one).some(({ state, hash }) => state === 'approved' && now.hash === hash));
    const pending = records.filter(({ state }) => state === 'pending');
    const over = isAll ? pending.filter((one) => !isListed(one) || isBack(one)) : [];
    const kept = fresh.slice(0, Math.max(0, limits.definitionsPendingMax - pending.length + over.length));
    if (kept.length === 0 && over.length === 0) return;
    if (kept.length > 0) await record('definitions.seen', { actor: by, server: row.slug }, kept);
    await store.transaction(async ({ definitions }) => {
      const server = row.id;
      for (const { kind, name } of over)
        await definitions.remove(workspace, { server, kind, name, state: 'pending' });
      const facts = { server, state: 'pending', at: clock.now(), by: by.id } as const;
      for (const { kind, name, hash, text } of kept)
        await definitions.save(workspace, { ...facts, kind, name, hash, text });
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
      for (const { kind, name, hash, text } of decided) {
        const place = { server: row.id, kind, name };
        await definitions.remove(workspace, { ...place, state: 'pending' });
        await definitions.remove(workspace, { ...place, state: 'rejected' });
        const state = decision === 'approve' ? 'approved' : 'rejected';
        const facts = { hash, text, at: clock.now(), by: deps.operator.id };
        await definitions.save(workspace, { ...place, ...facts, state });
      }
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
      const approved = of === workspace ? await approvedOf(slug) : new Map<string, string>();
      return (seen) => pinVerdict(approved, seen);
    },
    withheld(of, slug, seen) {
      if (of !== workspace) return;
      const batch = waiting.get(slug) ?? { row: store.servers.findBySlug(workspace, slug), seen: new Map() };
      batch.row.catch(() => undefined);
      waiting.set(slug, batch);
      for (const one of seen)
        if (batch.seen.size < limits.definitionsPendingMax) batch.seen.set(keyOf(one), one);
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
    async look(row) {
      const seen = await deps.ask(row.slug);
      await next(() => keep(row, seen, { by: deps.operator, isAll: true }));
      const tooLong = seen.filter(({ text }) => text.length > limits.definitionCharsMax);
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

const asText = (hashes: Hashes): string =>
  [...hashes]
    .map((pair) => JSON.stringify(pair))
    .toSorted()
    .join();

const tooLongFor = (names: readonly string[]) => ({
  code: 'definition_too_long',
  message: `Longer than ${limits.definitionCharsMax} characters, and withheld for that: ${names.slice(0, 10).join(', ')}`,
});

const notWaiting = (slug: string): AppError =>
  new AppError('definition_not_waiting', `Not all of that waits for a decision at \`${slug}\`, as it was.`, {
    kind: 'conflict',
    hint: `It may have changed meanwhile. Look again: \`sallyport server consent ${slug}\`.`,
  });
