import { describe, expect, it } from 'vitest';
import { appliedLimits } from '../../src/sandbox/cell-limits.ts';
import type { CellExit } from '../../src/sandbox/cell-spec.ts';
import { type EndFacts, explainExit } from '../../src/sandbox/exit-reason.ts';

const applied = appliedLimits({ memoryMiB: 512, processes: 32, cpus: 0.5, openFiles: 64, diskMiB: 8 }, true);
const end: EndFacts = {
  code: 0,
  signal: null,
  killed: false,
  overrun: null,
  executed: true,
  stderr: '',
  program: 'server',
  applied,
  usage: null,
  writesToHost: false,
};
const usage = { oomKills: 0, forksRefused: 0, cpuUs: 1, memoryPeakBytes: null };
const memory = { kind: 'memory', text: 'memory limit 512 MiB', setting: 'limits.memoryMiB' } as const;
const processes = { kind: 'processes', text: 'process limit 32', setting: 'limits.processes' } as const;
const openFiles = { kind: 'openFiles', text: 'open file limit 64', setting: 'limits.openFiles' } as const;
const disk = { kind: 'disk', text: 'disk limit 8 MiB', setting: 'limits.diskMiB' } as const;
const cpu = { kind: 'cpu', text: 'CPU limit 0.5', setting: 'limits.cpus' } as const;

const ended = (code: number | null, reason: string, more: Partial<CellExit> = {}): CellExit => ({
  code,
  signal: null,
  started: true,
  reason,
  limit: null,
  ...more,
});

describe('explainExit', () => {
  it.each<[Partial<EndFacts>, CellExit]>([
    [{}, ended(0, 'it ended by itself')],
    [{ code: 3 }, ended(3, 'it ended with code 3')],
    [{ code: 128 }, ended(128, 'it ended with code 128')],
    [{ code: 143 }, ended(null, 'it was ended by SIGTERM', { signal: 'SIGTERM' })],
    [
      { code: 159 },
      ended(null, 'it was killed because it used system calls of a foreign architecture (SIGSYS)', {
        signal: 'SIGSYS',
      }),
    ],
    [
      { code: null, signal: 'SIGKILL', killed: true },
      ended(null, 'stopped by Sallyport', { signal: 'SIGKILL' }),
    ],
    [
      { code: null, signal: 'SIGKILL' },
      ended(null, 'its sandbox was ended from outside by SIGKILL', { signal: 'SIGKILL' }),
    ],
    [
      {
        code: 1,
        executed: false,
        stderr: 'hello\nunshare: sigprocmask unblock failed: Invalid argument\n',
      },
      ended(null, 'its sandbox was ended from outside by SIGKILL', { signal: 'SIGKILL' }),
    ],
    [
      { code: 127, stderr: 'prlimit: failed to execute server: No such file or directory\n' },
      ended(127, 'the program "server" was not found in the cell', { started: false }),
    ],
    [
      { code: 126, stderr: 'prlimit: failed to execute server: Permission denied\n' },
      ended(126, 'the program "server" may not be executed', { started: false }),
    ],
    [{ code: 127, stderr: 'server: cannot find plugin\n' }, ended(127, 'it ended with code 127')],
    [
      {
        code: 1,
        executed: false,
        stderr: "bwrap: Can't find source path /x: No such file or directory\n",
      },
      ended(
        null,
        "the sandbox could not be built: bwrap: Can't find source path /x: No such file or directory",
        { started: false },
      ),
    ],
    [
      { code: 127, executed: false, stderr: '' },
      ended(null, 'the sandbox could not be built: its launcher ended with code 127', { started: false }),
    ],
    [
      { code: 1, executed: false, stderr: 'bwrap: \u001b]0;x\u0007\u202e\n' },
      ended(null, 'the sandbox could not be built: bwrap: \ufffd]0;x\ufffd\ufffd', { started: false }),
    ],
    [
      { code: 126, stderr: '/sallyport/start: 2: /usr/bin/prlimit: Argument list too long\n' },
      ended(126, 'the program could not be executed: argument list too long', { started: false }),
    ],
    [
      { code: 125, stderr: 'sallyport: a granted path was replaced while the cell was built\n' },
      ended(
        null,
        'the sandbox could not be built: sallyport: a granted path was replaced while the cell was built',
        { started: false },
      ),
    ],
  ])('%o', (facts, exit) => {
    expect(explainExit({ ...end, ...facts })).toEqual(exit);
  });
});

describe('a program that imitates what builds its cell', () => {
  const last = 'SECRETVALUE123 \u001b]0;x\u0007';

  it.each([
    `bwrap: ${last}`,
    `bwrap: execvp ${last}`,
    'unshare: sigprocmask unblock failed: Invalid argument',
    `sallyport: a granted path was replaced while the cell was built`,
    `prlimit: failed to execute ${last}`,
    `/sallyport/start: 1: ${last}`,
  ])('has been started all the same: %j', (words) => {
    expect(explainExit({ ...end, code: 1, stderr: `${words}\n` })).toEqual(ended(1, 'it ended with code 1'));
  });

  it.each([125, 126, 127])('brings nothing of its own into the reason, whatever its code: %i', (code) => {
    const begins = [
      'bwrap: ',
      'sallyport: a granted path',
      'prlimit: failed to execute ',
      '/sallyport/start: 1: ',
    ];
    for (const begin of begins) {
      for (const stderr of [`${begin}${last}`, `${begin}${last}: not found`])
        expect(explainExit({ ...end, code, stderr }).reason).not.toMatch(/SECRET|\P{ASCII}|\p{Cc}/u);
    }
  });
});

describe('a limit', () => {
  it.each<[string, Partial<EndFacts>, CellExit]>([
    [
      'for which the gateway ended it comes before everything else',
      { code: null, signal: 'SIGKILL', killed: true, overrun: cpu, stderr: 'MemoryError\n' },
      ended(null, 'killed: CPU limit 0.5', { signal: 'SIGKILL', limit: cpu }),
    ],
    [
      "for which the kernel ended the cell's group",
      { code: null, signal: 'SIGKILL', usage: { ...usage, oomKills: 3 } },
      ended(null, 'killed: memory limit 512 MiB', { signal: 'SIGKILL', limit: memory }),
    ],
    [
      "for which the kernel ended the cell's group, as an `unshare` that does not understand it tells it",
      {
        code: 1,
        executed: false,
        stderr: 'unshare: sigprocmask unblock failed: Invalid argument\n',
        usage: { ...usage, oomKills: 3 },
      },
      ended(null, 'killed: memory limit 512 MiB', { signal: 'SIGKILL', limit: memory }),
    ],
    [
      'that was met while Sallyport ended the cell is why it ended',
      { code: null, signal: 'SIGKILL', killed: true, usage: { ...usage, oomKills: 1 } },
      ended(null, 'killed: memory limit 512 MiB', { signal: 'SIGKILL', limit: memory }),
    ],
    [
      'of a cell that ended well was not met',
      { code: 0, usage: { ...usage, oomKills: 1 } },
      ended(0, 'it ended by itself'),
    ],
    [
      'that only the group has counted',
      { code: 1, usage: { ...usage, forksRefused: 7 } },
      ended(1, 'it ended with code 1 at its process limit 32 (cannot fork)', { limit: processes }),
    ],
    [
      'of files kills by a signal of its own',
      { code: 128 + 25 },
      ended(null, 'killed: disk limit 8 MiB (a file)', { signal: 'SIGXFSZ', limit: disk }),
    ],
    [
      'is not told from words where the program ended well',
      { code: 0, stderr: 'MemoryError\n' },
      ended(0, 'it ended by itself'),
    ],
    [
      'is not told from words where somebody ended it',
      { code: 143, stderr: 'MemoryError\n' },
      ended(null, 'it was ended by SIGTERM', { signal: 'SIGTERM' }),
    ],
    [
      "is not the cell's where a folder of the host may be full",
      { code: 1, stderr: 'ENOSPC: no space left on device, write', writesToHost: true },
      ended(1, 'it ended with code 1: no space left on device'),
    ],
    [
      "is not the cell's where the runtime has one of its own",
      {
        code: 134,
        stderr: 'FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n',
      },
      ended(
        null,
        'it crashed (SIGABRT): Node reached the heap limit that it sets itself (--max-old-space-size)',
        { signal: 'SIGABRT' },
      ),
    ],
    [
      "is not the cell's where the kernel cannot count its processes",
      { code: 2, stderr: 'sh: 0: Cannot fork', applied: { ...applied, processes: null } },
      ended(2, 'it ended with code 2: cannot fork'),
    ],
  ])('%s', (_what, facts, exit) => {
    expect(explainExit({ ...end, ...facts })).toEqual(exit);
  });
});

/** As they were seen, cut to what matters. */
const seen: readonly (readonly [string, CellExit['limit']])[] = [
  [
    '# Fatal process out of memory: Failed to reserve virtual memory for CodeRange\n#\n----- Native stack trace -----\n',
    memory,
  ],
  [
    'FATAL ERROR: Committing semi space failed. Allocation failed - JavaScript heap out of memory\n 1: 0x931db0 [node]\n',
    memory,
  ],
  [
    'FATAL ERROR: MarkCompactCollector: young object promotion failed Allocation failed - JavaScript heap out of memory\n',
    memory,
  ],
  ['RangeError: Array buffer allocation failed\n    at new ArrayBuffer (<anonymous>)\n', memory],
  ['Traceback (most recent call last):\n  File "<string>", line 2, in <module>\nMemoryError\n', memory],
  ["terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc\n", memory],
  ['memory allocation of 1048576 bytes failed\nstack backtrace:\n', memory],
  ['fatal error: runtime: out of memory\n\nruntime stack:\nruntime.throw({0x4923d2?})\n', memory],
  [
    'runtime: out of memory: cannot allocate 4194304-byte block (6 in use)\nfatal error: out of memory\n',
    memory,
  ],
  [
    "OpenJDK 64-Bit Server VM warning: INFO: os::commit_memory(0x00007f48f47e0000, 31916032, 0) failed; error='Not enough space' (errno=12)\n",
    memory,
  ],
  ['Exception in thread "main" java.lang.OutOfMemoryError: Java heap space\n', null],
  [
    'Exception in thread "main" java.lang.OutOfMemoryError: unable to create native thread: possibly out of memory\n',
    processes,
  ],
  ['malloc: Cannot allocate memory\n', memory],
  ['/bin/sh: 0: Cannot fork\n', processes],
  ['bash: fork: retry: Resource temporarily unavailable\n', processes],
  ['Error: spawn /bin/sh EAGAIN\n    at ChildProcess._handle.onexit\n', processes],
  ["RuntimeError: can't start new thread\n", processes],
  [
    '    self.pid = _fork_exec(\n               ^^^^^^^^^^^\nBlockingIOError: [Errno 11] Resource temporarily unavailable\n',
    processes,
  ],
  ['runtime: failed to create new OS thread (have 9 already; errno=11)\n', processes],
  ['BlockingIOError: [Errno 11] Resource temporarily unavailable\n', null],
  ["Error: EMFILE: too many open files, open '/dev/null'\n    at Object.openSync\n", openFiles],
  ["OSError: [Errno 24] Too many open files: '/dev/null'\n", openFiles],
  ['Error: ENOSPC: no space left on device, write\n', disk],
  ['OSError: [Errno 28] No space left on device\n', disk],
  ["Error: ENOSPC: System limit for number of file watchers reached, watch '/srv'\n", null],
  ['OSError: [Errno 27] File too large\n', disk],
  ['Error: connect ECONNREFUSED 127.0.0.1:5432\n', null],
];

describe('the last words of a runtime', () => {
  it.each(seen)('%j', (stderr, limit) => {
    expect(explainExit({ ...end, code: 1, stderr }).limit).toEqual(limit);
    expect(explainExit({ ...end, code: 134, stderr }).limit).toEqual(limit);
  });

  it('never put bytes of the program into the reason', () => {
    for (const [stderr] of seen) {
      const { reason } = explainExit({ ...end, code: 1, stderr });
      expect(reason).toMatch(/^it ended with code 1(?:(?: at its|:) [\w\d .:()+#-]+)?$/);
    }
  });
});
