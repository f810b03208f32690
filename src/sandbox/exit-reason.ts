/** Turns what is known about a cell's end into a code, a signal, and a sentence. Pure. */
import { constants } from 'node:os';
import { cellPaths } from './cell-layout.ts';
import type { CellExit } from './cell-spec.ts';
import { GRANT_CHANGED } from './launch-scripts.ts';

export interface EndFacts {
  /** How the launcher, by then bubblewrap, ended. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** True when `kill()` was called first. */
  readonly killed: boolean;
  /** The end of stderr. */
  readonly stderr: string;
  readonly program: string;
}

export function explainExit({ code, signal, killed, stderr, program }: EndFacts): CellExit {
  if (killed) return { code: null, signal: 'SIGKILL', started: true, reason: 'stopped by Sallyport' };
  if (signal !== null) {
    return { code: null, signal, started: true, reason: `its sandbox was ended from outside by ${signal}` };
  }
  const lastLine = stderr.trimEnd().split('\n').at(-1) ?? '';
  if (lastLine.startsWith('bwrap: ') || (code === GRANT_CHANGED.code && lastLine === GRANT_CHANGED.line)) {
    return {
      code: null,
      signal: null,
      started: false,
      reason: `the sandbox could not be built: ${lastLine}`,
    };
  }
  if ((code === 126 || code === 127) && lastLine.startsWith('prlimit: failed to execute')) {
    const why = code === 127 ? 'was not found in the cell' : 'may not be executed';
    return { code, signal: null, started: false, reason: `the program "${program}" ${why}` };
  }
  if ((code === 126 || code === 127) && lastLine.startsWith(`${cellPaths.start}: `)) {
    const reason = `the program could not be executed: ${lastLine.slice(cellPaths.start.length + 2)}`;
    return { code, signal: null, started: false, reason };
  }
  // Bubblewrap reports a death by signal the way a shell does.
  const died = code === null || code <= 128 ? undefined : signalName(code - 128);
  if (died !== undefined) return { code: null, signal: died, started: true, reason: signalReason(died) };
  return {
    code,
    signal: null,
    started: true,
    reason: code === 0 ? 'it ended by itself' : `it ended with code ${code}`,
  };
}

function signalName(number: number): NodeJS.Signals | undefined {
  const names = Object.entries(constants.signals) as [NodeJS.Signals, number][]; // the type of the keys is lost in entries()
  return names.find(([, value]) => value === number)?.[0];
}

/** Signals that say more than their name. */
const knownSignals: Partial<Record<NodeJS.Signals, string>> = {
  SIGSYS: 'it was killed because it used system calls of a foreign architecture (SIGSYS)',
  SIGKILL: 'it was killed (SIGKILL): by itself, or because memory ran out',
  SIGABRT: 'it crashed (SIGABRT): with Node, most often because it reached its memory limit',
  SIGTRAP: 'it crashed (SIGTRAP): with Node, most often because it reached its memory limit',
  SIGXFSZ: 'it was killed because a file reached the disk limit (SIGXFSZ)',
};

const signalReason = (signal: NodeJS.Signals): string => knownSignals[signal] ?? `it was ended by ${signal}`;
