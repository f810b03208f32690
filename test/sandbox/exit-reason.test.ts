import { describe, expect, it } from 'vitest';
import { type EndFacts, explainExit } from '../../src/sandbox/exit-reason.ts';

const end: EndFacts = { code: 0, signal: null, killed: false, stderr: '', program: 'server' };

describe('explainExit', () => {
  it.each<[Partial<EndFacts>, ReturnType<typeof explainExit>]>([
    [{}, { code: 0, signal: null, started: true, reason: 'it ended by itself' }],
    [{ code: 3 }, { code: 3, signal: null, started: true, reason: 'it ended with code 3' }],
    [{ code: 128 }, { code: 128, signal: null, started: true, reason: 'it ended with code 128' }],
    [{ code: 143 }, { code: null, signal: 'SIGTERM', started: true, reason: 'it was ended by SIGTERM' }],
    [
      { code: 159 },
      {
        code: null,
        signal: 'SIGSYS',
        started: true,
        reason: 'it was killed because it used system calls of a foreign architecture (SIGSYS)',
      },
    ],
    [
      { code: null, signal: 'SIGKILL', killed: true },
      { code: null, signal: 'SIGKILL', started: true, reason: 'stopped by Sallyport' },
    ],
    [
      { code: null, signal: 'SIGKILL' },
      {
        code: null,
        signal: 'SIGKILL',
        started: true,
        reason: 'its sandbox was ended from outside by SIGKILL',
      },
    ],
    [
      { code: 127, stderr: 'prlimit: failed to execute server: No such file or directory\n' },
      { code: 127, signal: null, started: false, reason: 'the program "server" was not found in the cell' },
    ],
    [
      { code: 126, stderr: 'prlimit: failed to execute server: Permission denied\n' },
      { code: 126, signal: null, started: false, reason: 'the program "server" may not be executed' },
    ],
    [
      { code: 127, stderr: 'server: cannot find plugin\n' },
      { code: 127, signal: null, started: true, reason: 'it ended with code 127' },
    ],
    [
      { code: 1, stderr: "bwrap: Can't find source path /x: No such file or directory\n" },
      {
        code: null,
        signal: null,
        started: false,
        reason: "the sandbox could not be built: bwrap: Can't find source path /x: No such file or directory",
      },
    ],
  ])('%o', (facts, exit) => {
    expect(explainExit({ ...end, ...facts })).toEqual(exit);
  });
});
