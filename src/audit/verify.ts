/**
 * Checks a workspace's chain from its first event to its head, and says exactly what is wrong and where. It trusts
 * the audit key and nothing that the store returns.
 */
import { isAppError, limits, type WorkspaceId } from '../kernel/index.ts';
import { hashOf, NO_PREVIOUS } from './canonical.ts';
import type { ChainKeys } from './chain-keys.ts';
import type { ChainEnd } from './chain-writer.ts';
import type { RecordedEvent } from './events.ts';
import type { AuditHead, AuditStore, Checkpoint } from './ports.ts';
import { explainMisfits } from './misfits.ts';
import { eventPages } from './pages.ts';
import type { VerifyOptions, VerifyProblem, VerifyReport } from './verify-report.ts';

export interface VerifyDeps {
  readonly store: AuditStore;
  readonly keys: ChainKeys;
  /** Where the chain ended when this process saw it last; null when it has not. */
  readonly seen: ChainEnd | null;
  /** What keeps recorded events from the chain; null when nothing does. */
  readonly obstacle: unknown;
}

export async function verifyChain(
  deps: VerifyDeps,
  workspace: WorkspaceId,
  options: VerifyOptions = {},
): Promise<VerifyReport> {
  // Before the head: others may append and sign meanwhile, and no checkpoint may stand behind the head for that.
  const checkpoints = [...(await deps.store.checkpoints(workspace)), ...(options.anchors ?? [])];
  const head = await deps.store.head(workspace);
  const walk = new Walk(deps, workspace, checkpoints);
  const end = head?.sequence ?? 0;
  for await (const page of eventPages(deps.store, workspace, end, (sequence) =>
    walk.skipUnreadable(sequence),
  )) {
    for (const event of page) walk.take(event);
  }
  walk.finish(head);
  if (isAppError(deps.obstacle) && deps.obstacle.code === 'audit_journal_forged') {
    walk.report({ code: 'audit_journal_forged', sequence: end + 1, message: deps.obstacle.message });
  }
  await checkBehindHead(deps.store, workspace, head, walk);
  for (const problem of await explainMisfits(deps.store, workspace, walk.misfits, end)) walk.report(problem);

  const problems = walk.problems.toSorted((a, b) => a.sequence - b.sequence);
  return {
    workspace,
    ok: problems.length === 0,
    events: walk.events,
    head: head === null ? null : { sequence: head.sequence, hash: head.hash },
    checkpoints: checkpoints.length,
    publicKey: deps.keys.publicKey,
    problems,
    more: walk.more,
  };
}

/** Other processes may append while we read, so that events behind the head are wrong only if the head stood still. */
async function checkBehindHead(
  store: AuditStore,
  workspace: WorkspaceId,
  head: AuditHead | null,
  walk: Walk,
): Promise<void> {
  const end = head?.sequence ?? 0;
  const behind = await firstFrom(store, workspace, end + 1);
  if (behind === null) return;
  const now = await store.head(workspace);
  if ((now?.sequence ?? 0) > end) return;
  walk.report(
    head === null
      ? {
          code: 'head_missing',
          sequence: behind,
          message: `There are events from ${behind} on, but the head of the chain is gone.`,
        }
      : {
          code: 'events_after_head',
          sequence: behind,
          message: `Event ${behind} lies behind the head at ${end}: it was added by somebody without the audit key.`,
        },
  );
}

/** The sequence of the first event from this one on; this one for a row that the store cannot read. */
async function firstFrom(store: AuditStore, workspace: WorkspaceId, from: number): Promise<number | null> {
  try {
    const [event] = await store.read(workspace, from, 1);
    return event?.sequence ?? null;
  } catch (error) {
    if (isAppError(error) && error.code === 'store_corrupt') return from;
    throw error;
  }
}

/** One pass over the events in order of sequence, with what has to be remembered from one to the next. */
class Walk {
  readonly problems: VerifyProblem[] = [];
  readonly misfits: RecordedEvent[] = [];
  more = false;
  events = 0;
  #lastSequence = 0;
  /** Null after a gap: then there is nothing to compare the next link with. */
  #lastHash: string | null = NO_PREVIOUS;
  readonly #keys: ChainKeys;
  readonly #seen: ChainEnd | null;
  readonly #workspace: WorkspaceId;
  readonly #checkpoints: Map<number, Checkpoint[]>;

  constructor({ keys, seen }: VerifyDeps, workspace: WorkspaceId, checkpoints: readonly Checkpoint[]) {
    this.#keys = keys;
    this.#seen = seen;
    this.#workspace = workspace;
    this.#checkpoints = Map.groupBy(
      checkpoints.filter((checkpoint) => this.#isGenuine(checkpoint)),
      (checkpoint) => checkpoint.sequence,
    );
  }

  report(problem: VerifyProblem): void {
    if (this.problems.length < limits.auditProblemsMax) this.problems.push(problem);
    else this.more = true;
  }

  take(event: RecordedEvent): void {
    this.events += 1;
    const { sequence } = event;
    if (sequence <= this.#lastSequence) {
      this.report({ code: 'event_repeated', sequence, message: `There is a second event ${sequence}.` });
      return;
    }
    if (sequence > this.#lastSequence + 1) {
      this.report(missing('event_missing', this.#lastSequence + 1, sequence - 1));
      this.#lastHash = null;
    }
    if (!hasItsHash(event, this.#workspace)) {
      if (this.misfits.length < limits.auditProblemsMax) this.misfits.push(event);
      else this.more = true;
    } else if (this.#lastHash !== null && event.previous !== this.#lastHash) {
      const message = `Event ${sequence} does not follow event ${sequence - 1}: one of the two was replaced.`;
      this.report({ code: 'link_broken', sequence, message });
    }
    if (sequence === this.#seen?.sequence && event.hash !== this.#seen.hash) {
      const message = `Event ${sequence} is not the one that this process has seen: it, or what came before, was rewritten.`;
      this.report({ code: 'chain_rolled_back', sequence, through: sequence, message });
    }
    if (event.type === 'audit.journal_forged') {
      const message = `Event ${sequence} says that a journal of a gateway was changed, or is gone: what it held is not in the log.`;
      this.report({ code: 'audit_journal_forged', sequence, message });
    }
    for (const checkpoint of this.#checkpoints.get(sequence) ?? []) {
      if (checkpoint.hash === event.hash) continue;
      const message = `Event ${sequence} is not the one that a signed checkpoint names: it, or what came before, was rewritten.`;
      this.report({ code: 'checkpoint_mismatch', sequence, message });
    }
    this.#lastSequence = sequence;
    this.#lastHash = event.hash;
  }

  skipUnreadable(sequence: number): void {
    this.report({
      code: 'event_unreadable',
      sequence,
      message: `Event ${sequence} is damaged and cannot be read.`,
    });
    this.#lastSequence = sequence;
    this.#lastHash = null;
  }

  finish(head: AuditHead | null): void {
    for (const sequence of this.#checkpoints.keys()) {
      if (sequence <= Math.max(this.#lastSequence, head?.sequence ?? 0)) continue;
      const message = `A signed checkpoint names event ${sequence}, but the chain ends at ${this.#lastSequence}.`;
      this.report({ code: 'checkpoint_ahead', sequence, message });
    }
    const end = head?.sequence ?? 0;
    if (this.#seen !== null && this.#seen.sequence > end) {
      const through = this.#seen.sequence;
      const message = `The chain ends at ${end}, but this process has seen events ${end + 1} to ${through}.`;
      this.report({ code: 'chain_rolled_back', sequence: end + 1, through, message });
    }
    if (head === null) return;
    if (!this.#keys.isHeadGenuine(this.#workspace, head)) {
      const message = `The head of the chain at ${head.sequence} was not written by the holder of the audit key.`;
      this.report({ code: 'head_mac_wrong', sequence: head.sequence, message });
    }
    if (this.#lastSequence < head.sequence) {
      this.report(missing('chain_truncated', this.#lastSequence + 1, head.sequence));
    } else if (this.#lastHash !== null && this.#lastHash !== head.hash) {
      const message = `Event ${head.sequence} is not the one that the head of the chain names.`;
      this.report({ code: 'head_mismatch', sequence: head.sequence, message });
    }
  }

  #isGenuine(checkpoint: Checkpoint): boolean {
    if (checkpoint.workspace === this.#workspace && this.#keys.isCheckpointGenuine(checkpoint)) return true;
    const { sequence } = checkpoint;
    const message = `The checkpoint at event ${sequence} is not signed by this chain's key.`;
    this.report({ code: 'checkpoint_signature_wrong', sequence, message });
    return false;
  }
}

function hasItsHash(event: RecordedEvent, workspace: WorkspaceId): boolean {
  try {
    return event.workspace === workspace && hashOf(event) === event.hash;
  } catch {
    // Content that could never have been recorded, of whatever shape the row was changed into.
    return false;
  }
}

function missing(
  code: 'event_missing' | 'chain_truncated',
  sequence: number,
  through: number,
): VerifyProblem {
  const which = sequence === through ? `Event ${sequence} is` : `Events ${sequence} to ${through} are`;
  const where = code === 'chain_truncated' ? ' from the end of the chain' : '';
  return { code, sequence, through, message: `${which} missing${where}.` };
}
