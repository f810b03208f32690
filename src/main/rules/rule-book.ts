/**
 * The owner's rules that hold now: those of the home's file, of the workspace and of each profile, compiled once and kept
 * until one of them changes. Answered from memory; what this process changes holds at once, what another one or an editor
 * does within `limits.storeWatchIntervalMs`, and for calls from the next one on.
 *
 * Rules that cannot be read refuse everything. Where they could be read before, what held then goes on until they can be again.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { CellIdentity, RequestRules } from '../../egress/index.ts';
import { limits, type Log, type WorkspaceId } from '../../kernel/index.ts';
import type { RuleBook } from '../../mcp/index.ts';
import {
  combineRules,
  decodePolicy,
  type PolicyError,
  type Rules,
  type RuleSet,
  subjects,
} from '../../policy/index.ts';
import type { Store } from '../../store/index.ts';
import type { PolicyFile } from './policy-file.ts';

export interface RuleBookDeps {
  readonly workspace: WorkspaceId;
  readonly store: Pick<Store, 'policies' | 'revision'>;
  readonly file: PolicyFile;
  readonly log: Log;
}

/** A text of rules that holds, or should. */
export interface PolicySource {
  readonly origin: 'file' | 'workspace' | 'profile';
  readonly profile: string | null;
  readonly text: string;
  readonly updatedAt: number | null;
  readonly updatedBy: string | null;
  /** Why it cannot be used. */
  readonly errors: readonly PolicyError[];
}

export interface KeptRules extends RuleBook, RequestRules {
  /** Brings it up to date now. */
  settle(): Promise<void>;
  /** As of the last time that it was brought up to date. */
  sources(): readonly PolicySource[];
  close(): void;
}

interface Loaded {
  readonly source: PolicySource;
  /** What holds for it. */
  readonly set: RuleSet;
}

export const sourceName = (origin: PolicySource['origin'], profile: string | null): string =>
  origin === 'file' ? 'policy.yaml' : origin === 'workspace' ? 'workspace' : `profile ${profile ?? ''}`;

/** Reads what there is, once: nothing may be decided before. */
export async function keepRules(deps: RuleBookDeps): Promise<KeptRules> {
  const book = new Kept(deps);
  await book.settle();
  return book;
}

class Kept implements KeptRules {
  readonly #deps: RuleBookDeps;
  readonly #listeners = new Set<() => void>();
  readonly #timer: NodeJS.Timeout;
  #loaded: readonly Loaded[] = [];
  #combined = new Map<string, Rules>();
  #revision = -1;
  #fileState: string | null = null;
  #fileText: string | null = null;
  #settling: Promise<void> | null = null;

  constructor(deps: RuleBookDeps) {
    this.#deps = deps;
    this.#timer = setInterval(() => this.#look(), limits.storeWatchIntervalMs).unref();
  }

  async rulesOf(_workspace: WorkspaceId, profile: string | null): Promise<Rules> {
    if (this.#deps.store.revision() !== this.#revision) await this.settle();
    return this.#rules(profile === null ? [] : [profile]);
  }

  current({ profile }: CellIdentity, callers: readonly string[]): Rules {
    return this.#rules(profile === '' ? callers : [profile]);
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  sources(): readonly PolicySource[] {
    return this.#loaded.map(({ source }) => source);
  }

  settle(): Promise<void> {
    // Whoever asks while it is read may mean a later change: it is read once more.
    const before = this.#settling ?? Promise.resolve();
    const settling = before
      .catch(() => undefined)
      .then(() => this.#load())
      .finally(() => {
        if (this.#settling === settling) this.#settling = null;
      });
    this.#settling = settling;
    return settling;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const { store, file, log } = this.#deps;
    if (store.revision() === this.#revision && file.state() === this.#fileState) return;
    this.settle().catch((error: unknown) => log.error('policy.load_failed', { error: String(error) }));
  }

  #rules(profiles: readonly string[]): Rules {
    const key = JSON.stringify(profiles.toSorted());
    const known = this.#combined.get(key);
    if (known !== undefined) return known;
    const sets = this.#loaded
      .filter(({ source: { profile } }) => profile === null || profiles.includes(profile))
      .map(({ set }) => set);
    const combined = combineRules(sets);
    // Names of profiles come from their owner: there are as many as were made, but more of them together.
    if (this.#combined.size >= limits.policySelectionsMax) this.#combined.clear();
    this.#combined.set(key, combined);
    return combined;
  }

  /** Who saves a file may move it away first, or write it in pieces: rules that are not there yet would not hold meanwhile. */
  async #steadyState(): Promise<string | null> {
    const { file } = this.#deps;
    let state = file.state();
    const isFirst = this.#revision === -1;
    for (let looks = 0; looks < limits.policyFileLooksMax; looks += 1) {
      if (isFirst || state === this.#fileState) break;
      await sleep(limits.policyFileSteadyMs);
      const before = state;
      state = file.state();
      if (state === before) break;
    }
    return state;
  }

  async #load(): Promise<void> {
    const { workspace, store, file, log } = this.#deps;
    // Taken before reading: a change in between is read again.
    const revision = store.revision();
    const fileState = await this.#steadyState();
    const stored = await store.policies.list(workspace);
    if (fileState !== this.#fileState) this.#fileText = fileState === null ? null : file.read();
    const found: Omit<PolicySource, 'errors'>[] = stored.map((record) => ({
      origin: record.profile === null ? 'workspace' : 'profile',
      ...record,
    }));
    if (this.#fileText !== null)
      found.unshift({
        origin: 'file',
        profile: null,
        text: this.#fileText,
        updatedAt: null,
        updatedBy: null,
      });
    const loaded = found.map((one) => this.#compiled(one, log));
    const isSame =
      loaded.length === this.#loaded.length && loaded.every((one, index) => one === this.#loaded[index]);
    this.#loaded = loaded;
    this.#revision = revision;
    this.#fileState = fileState;
    if (isSame) return;
    this.#combined = new Map();
    for (const listener of this.#listeners) listener();
  }

  /** The same object where the text is the same. */
  #compiled(found: Omit<PolicySource, 'errors'>, log: Log): Loaded {
    const before = this.#loaded.find(
      ({ source }) => source.origin === found.origin && source.profile === found.profile,
    );
    if (before?.source.text === found.text && before.source.updatedAt === found.updatedAt) return before;
    const file = sourceName(found.origin, found.profile);
    const read = decodePolicy(found.text, file);
    if (read.ok) return { source: { ...found, errors: [] }, set: read.value.rules };
    const [first] = read.error;
    const why = `${file}:${first?.line ?? 1}:${first?.column ?? 1}: ${first?.message ?? 'it cannot be read'}`;
    log.error('policy.invalid', { why, goesOn: before === undefined ? 'refusing' : 'as before' });
    return { source: { ...found, errors: read.error }, set: before?.set ?? refusingEverything(file, why) };
  }
}

function refusingEverything(file: string, why: string): RuleSet {
  const place = { file, line: 1 };
  const rule = {
    id: 'unreadable-policy',
    subjects: new Set(subjects),
    match: {},
    when: null,
    action: { do: 'deny' },
    message: `Nothing is allowed, because the rules cannot be read: ${why}`,
    instead: 'Its owner can correct it: sallyport policy check FILE.',
    place,
  } as const;
  return { fallback: 'deny', rules: [rule], place };
}
