/**
 * Turns what is known about a cell's end into a code, a signal, the limit that it met, and a sentence. Pure.
 *
 * The end of stderr is the program's own words once anything was executed in the cell. They may then decide which sentence is
 * said, but nothing of them may get into it: it goes into logs and the audit, and could hold what the program was entrusted with.
 */
import { constants } from 'node:os';
import { cellPaths } from './cell-layout.ts';
import type { AppliedLimits } from './cell-limits.ts';
import type { CellExit } from './cell-spec.ts';
import type { GroupUsage } from './cgroup/ports.ts';
import { GRANT_CHANGED } from './launch-scripts.ts';
import { lastWords, type LimitHit, limitHit, type LimitKind } from './limit-hit.ts';

export interface EndFacts {
  /** How the launcher, by then bubblewrap, ended. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** True when `kill()` was called first. */
  readonly killed: boolean;
  /** The limit for which the gateway itself ended the cell. */
  readonly overrun: LimitHit | null;
  /** Whether bubblewrap got as far as to execute anything in the cell; false too where it was killed. */
  readonly executed: boolean;
  /** The end of stderr. */
  readonly stderr: string;
  readonly program: string;
  readonly applied: AppliedLimits;
  /** What the cell's control group counted; null where it has none. */
  readonly usage: GroupUsage | null;
  /** Whether it may write to folders of the host, which may be full too. */
  readonly writesToHost: boolean;
}

/** What `unshare` of util-linux 2.38 says, and ends with code 1, instead of ending by the SIGKILL that its child got. */
const UNSHARE_CONFUSED = 'unshare: sigprocmask unblock failed: Invalid argument';

export function explainExit(facts: EndFacts): CellExit {
  const { code, killed, overrun, executed, stderr, program } = facts;
  if (overrun !== null) return killedFor(overrun, null, 'SIGKILL');
  // The kernel ends a group with all that is in it, bubblewrap too.
  if ((facts.usage?.oomKills ?? 0) > 0 && code !== 0) {
    return killedFor(limitHit('memory', facts.applied), null, 'SIGKILL');
  }
  if (killed) {
    return { code: null, signal: 'SIGKILL', started: true, reason: 'stopped by Sallyport', limit: null };
  }
  const lastLine = stderr.trimEnd().split('\n').at(-1) ?? '';
  // Behind what the program may have begun to say.
  const isConfused = code === 1 && !executed && lastLine.endsWith(UNSHARE_CONFUSED);
  const signal = isConfused ? 'SIGKILL' : facts.signal;
  if (signal !== null) {
    const reason = `its sandbox was ended from outside by ${signal}`;
    return { code: null, signal, started: true, reason, limit: null };
  }
  // Behind a terminal, what is above is a signal that ended the sandbox.
  if (!executed && code !== null && code <= 128)
    return notBuilt(lastLine === '' ? `its launcher ended with code ${code}` : lastLine);
  if (code === GRANT_CHANGED.code && lastLine === GRANT_CHANGED.line) return notBuilt(lastLine);
  if ((code === 126 || code === 127) && lastLine.startsWith('prlimit: failed to execute')) {
    const why = code === 127 ? 'was not found in the cell' : 'may not be executed';
    return { code, signal: null, started: false, reason: `the program "${program}" ${why}`, limit: null };
  }
  if ((code === 126 || code === 127) && lastLine.startsWith(`${cellPaths.start}: `)) {
    const [why] = WHY_NOT_EXECUTED.exec(lastLine) ?? [];
    const reason = `the program could not be executed${why === undefined ? '' : `: ${why.toLowerCase()}`}`;
    return { code, signal: null, started: false, reason, limit: null };
  }
  // Bubblewrap reports a death by signal the way a shell does.
  const died = code === null || code <= 128 ? undefined : signalName(code - 128);
  return died === undefined ? gaveUp(facts) : crashed(facts, died);
}

/** What shells say. */
const WHY_NOT_EXECUTED = /(?:not found|No such file or directory|Permission denied|Argument list too long)$/;

/** @param said by what builds cells */
function notBuilt(said: string): CellExit {
  // A path in it may be written with anything.
  const reason = `the sandbox could not be built: ${said.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, '\ufffd')}`;
  return { code: null, signal: null, started: false, reason, limit: null };
}

/** It was ended by a signal of the kernel's or its own. */
function crashed(facts: EndFacts, signal: NodeJS.Signals): CellExit {
  if (signal === 'SIGXFSZ') return killedFor(limitHit('disk', facts.applied), 'a file', signal);
  const cause = CRASHES.has(signal) ? causeOf(facts) : null;
  if (cause === null) {
    return { code: null, signal, started: true, reason: signalReason(signal), limit: null };
  }
  if (cause.limit !== null) return killedFor(cause.limit, cause.who, signal);
  return { code: null, signal, started: true, reason: `it crashed (${signal}): ${cause.who}`, limit: null };
}

/** It ended with a code, which may be its answer to a refusal. */
function gaveUp(facts: EndFacts): CellExit {
  const { code } = facts;
  const exit = { code, signal: null, started: true, limit: null } as const;
  if (code === 0) return { ...exit, reason: 'it ended by itself' };
  const cause = causeOf(facts);
  if (cause === null) return { ...exit, reason: `it ended with code ${code}` };
  if (cause.limit === null) return { ...exit, reason: `it ended with code ${code}: ${cause.who}` };
  const reason = `it ended with code ${code} at its ${cause.limit.text} (${cause.who})`;
  return { ...exit, reason, limit: cause.limit };
}

interface Cause {
  /** Null: a limit that the runtime set itself. */
  readonly limit: LimitHit | null;
  readonly who: string;
}

function causeOf({ stderr, applied, usage, writesToHost }: EndFacts): Cause | null {
  const words = lastWords(stderr);
  if (words !== null) {
    if (words.kind === null) return { limit: null, who: words.who };
    // A folder of the host that is full is no limit of the cell's.
    if (words.who === 'ENOSPC' && writesToHost) return { limit: null, who: 'no space left on device' };
    return { limit: hit(words.kind, applied), who: words.who };
  }
  return (usage?.forksRefused ?? 0) > 0 ? { limit: hit('processes', applied), who: 'cannot fork' } : null;
}

/** Null for one that this cell does not have. */
function hit(kind: LimitKind, applied: AppliedLimits): LimitHit | null {
  return kind === 'processes' && applied.processes === null ? null : limitHit(kind, applied);
}

function killedFor(limit: LimitHit, who: string | null, signal: NodeJS.Signals): CellExit {
  const reason = `killed: ${limit.text}${who === null ? '' : ` (${who})`}`;
  return { code: null, signal, started: true, reason, limit };
}

function signalName(number: number): NodeJS.Signals | undefined {
  const names = Object.entries(constants.signals) as [NodeJS.Signals, number][]; // the type of the keys is lost in entries()
  return names.find(([, value]) => value === number)?.[0];
}

/** What runtimes end themselves with when they cannot go on, and what a program gets that goes on without memory. */
const CRASHES: ReadonlySet<NodeJS.Signals> = new Set(['SIGABRT', 'SIGTRAP', 'SIGILL', 'SIGSEGV', 'SIGBUS']);

/** Signals that say more than their name. */
const knownSignals: Partial<Record<NodeJS.Signals, string>> = {
  SIGSYS: 'it was killed because it used system calls of a foreign architecture (SIGSYS)',
  SIGKILL: 'it was killed (SIGKILL): by itself, or because memory ran out',
  SIGABRT: 'it crashed (SIGABRT): with Node, most often because it reached its memory limit',
  SIGTRAP: 'it crashed (SIGTRAP): with Node, most often because it reached its memory limit',
};

const signalReason = (signal: NodeJS.Signals): string => knownSignals[signal] ?? `it was ended by ${signal}`;
