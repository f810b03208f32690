/** What becomes of a real program that reaches a limit of its cell, and what is said about it. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { CellSpec } from '../../src/sandbox/index.ts';
import { cellSpec } from './cell-spec.ts';
import { textOf, watchedSandbox } from './watched-sandbox.ts';

// A minute of processor time would be long to wait for.
const { root, sandbox, remove } = await watchedSandbox({ intervalMs: 250, cpuWindowMs: 1_500 });
afterAll(remove);

async function run(command: readonly string[], limits: CellSpec['limits'], more: Partial<CellSpec> = {}) {
  const nothing = () => undefined;
  const cell = await sandbox.launch(cellSpec({ command, limits, ...more }), {
    onTcp: nothing,
    onDnsUdp: nothing,
    onDnsTcp: nothing,
  });
  const [stdout, stderr, exit] = await Promise.all([textOf(cell.stdout), textOf(cell.stderr), cell.exited]);
  return { stdout, stderr, exit };
}

const python = '/usr/bin/python3';
const hasPython = spawnSync(python, ['--version']).status === 0;
const node = (script: string) => ['node', '-e', script];
const py = (script: string) => [python, '-c', script];

const memory = { kind: 'memory', text: 'memory limit 200 MiB', setting: 'limits.memoryMiB' };

describe('the memory of a cell', () => {
  // Stays as it is then, unless it is told not to.
  const growNode =
    'const all = []; const grow = () => { all.push(Buffer.alloc(1 << 22, 1)); if (all.length < 200) setTimeout(grow, 10); else if (!process.env.LEAVE) setInterval(() => {}, 1000) }; grow()';
  const growPython =
    'import os, time\nall = []\nwhile len(all) < 200:\n  all.append(bytearray(b"x") * (1 << 22))\n  time.sleep(0.01)\nwhile not os.environ.get("LEAVE"): time.sleep(1)';
  const languages = [
    ['Node', node(growNode), false],
    ['Python', py(growPython), !hasPython],
  ] as const;

  describe.each(languages)('in %s', (_language, command, missing) => {
    it.skipIf(missing)('is that which it may have, and it is told when it had more', async () => {
      const { exit } = await run(command, { memoryMiB: 200 });
      expect(exit).toEqual({
        code: null,
        signal: 'SIGKILL',
        started: true,
        reason: 'killed: memory limit 200 MiB',
        limit: memory,
      });
    });

    it.skipIf(missing)('control: the same program ends by itself where it may have more', async () => {
      const { exit } = await run(command, { memoryMiB: 1_200 }, { env: { LEAVE: 'yes' } });
      expect(exit).toMatchObject({ code: 0, limit: null });
    });
  });

  it.skipIf(!hasPython)('counts all its processes, and what they share once', async () => {
    const family = (each: number, shared: number): string =>
      `import os, time
kept = bytearray(b"x") * (${shared} << 20)
for n in range(4):
  if os.fork() == 0:
    own = bytearray(b"x") * (${each} << 20)
    time.sleep(600)
time.sleep(${each === 0 ? 4 : 600})
os._exit(7)`;
    const [own, shared] = await Promise.all([
      run(py(family(60, 0)), { memoryMiB: 200 }),
      run(py(family(0, 150)), { memoryMiB: 200 }),
    ]);
    expect(own.exit).toMatchObject({ reason: 'killed: memory limit 200 MiB', limit: memory });
    expect(shared.exit).toMatchObject({ code: 7, limit: null });
  });

  it.skipIf(!hasPython)('counts memory that processes share, mapped without a file', async () => {
    const share = `import mmap, time
all = mmap.mmap(-1, 400 << 20)
for at in range(0, 400 << 20, 4096): all[at] = 1
time.sleep(600)`;
    expect((await run(py(share), { memoryMiB: 200 })).exit).toMatchObject({ limit: memory });
  });

  it('refuses what one process asks for at once beyond all reserves, and believes its last words', async () => {
    const leap = 'Buffer.alloc(3 * 1024 ** 3)';
    expect((await run(node(leap), { memoryMiB: 200 })).exit).toEqual({
      code: 1,
      signal: null,
      started: true,
      reason: 'it ended with code 1 at its memory limit 200 MiB (Node: buffer allocation failed)',
      limit: memory,
    });
    if (!hasPython) return;
    expect((await run(py('bytearray(3 << 30)'), { memoryMiB: 200 })).exit).toMatchObject({
      code: 1,
      reason: 'it ended with code 1 at its memory limit 200 MiB (Python: MemoryError)',
      limit: memory,
    });
  });

  it('is not what a heap limit of Node itself is', async () => {
    const script = 'const all = []; for (;;) all.push({ text: String(all.length) })';
    const { exit } = await run(['node', '--max-old-space-size=40', '-e', script], { memoryMiB: 2_000 });
    expect(exit).toMatchObject({
      signal: 'SIGABRT',
      reason: 'it crashed (SIGABRT): Node reached the heap limit that it sets itself (--max-old-space-size)',
      limit: null,
    });
  });

  it.skipIf(!hasPython)('cannot be had where nothing counts it', async () => {
    const script = `import ctypes, errno, json, mmap
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
  ctypes.set_errno(0)
  result = libc.syscall(number, *arguments)
  return "done" if result >= 0 else errno.errorcode[ctypes.get_errno()]
import platform
x64 = platform.machine() == "x86_64"
print(json.dumps({
  "memfd_create": call(319 if x64 else 279, b"name", 0),
  "memfd_secret": call(447, 0),
  "shmget": call(29 if x64 else 194, 0, 1 << 20, 0o1600),
  "semget": call(64 if x64 else 190, 0, 1, 0o1600),
  "msgget": call(68 if x64 else 186, 0, 0o1600),
}))`;
    expect(JSON.parse((await run(py(script), {})).stdout)).toEqual({
      memfd_create: 'ENOSYS',
      memfd_secret: 'ENOSYS',
      shmget: 'ENOSYS',
      semget: 'ENOSYS',
      msgget: 'ENOSYS',
    });
    const outside = JSON.parse(execFileSync(python, ['-c', script], { encoding: 'utf8' })) as object;
    expect(outside).toMatchObject({ memfd_create: 'done', shmget: 'done' });
  });
});

describe('the processors of a cell', () => {
  const languages = [
    [
      'Node',
      node('const end = Date.now() + (process.env.LEAVE ? 3000 : 600000); while (Date.now() < end);'),
      false,
    ],
    [
      'Python, in a child',
      py(
        'import os, time\nend = time.time() + (3 if os.environ.get("LEAVE") else 600)\nif os.fork() == 0:\n  while time.time() < end: pass\nelse: os.wait()',
      ),
      !hasPython,
    ],
  ] as const;

  it.each(languages)(
    'are kept busy no longer than for the time of the watch: %s',
    async (_name, command, missing) => {
      if (missing) return;
      // So little that a busy machine gives it more.
      expect((await run(command, { cpus: 0.05 })).exit).toEqual({
        code: null,
        signal: 'SIGKILL',
        started: true,
        reason: 'killed: CPU limit 0.05',
        limit: { kind: 'cpu', text: 'CPU limit 0.05', setting: 'limits.cpus' },
      });
    },
  );

  it.each(languages)(
    'control: where it may, the same program ends by itself: %s',
    async (_name, command, missing) => {
      if (missing) return;
      const env = { LEAVE: 'yes' };
      expect((await run(command, { cpus: 2 }, { env })).exit).toMatchObject({ code: 0, limit: null });
      expect((await run(command, {}, { env })).exit).toMatchObject({ code: 0, limit: null });
    },
  );
});

describe('the processes of a cell', () => {
  it.each([
    [
      'Node',
      node(
        'const { spawn } = require("node:child_process"); for (let n = 0; n < 64; n += 1) spawn("/bin/sleep", ["5"])',
      ),
      'Node: spawn EAGAIN',
      false,
    ],
    [
      'Python',
      py('import subprocess\nfor n in range(64): subprocess.Popen(["/bin/sleep", "5"])'),
      'Python: cannot fork',
      !hasPython,
    ],
    ['sh', ['/bin/sh', '-c', 'for n in $(seq 64); do sleep 5 & done; wait'], 'cannot fork', false],
  ] as const)('are no more than it may have: %s', async (_language, command, who, missing) => {
    if (missing) return;
    const { exit } = await run(command, { processes: 24 });
    expect(exit.limit).toEqual({ kind: 'processes', text: 'process limit 24', setting: 'limits.processes' });
    expect(exit.reason).toBe(`it ended with code ${exit.code} at its process limit 24 (${who})`);
  });
});

describe('the open files of a process', () => {
  it.each([
    ['Node', node('const fs = require("node:fs"); for (;;) fs.openSync("/dev/null")'), false],
    ['Python', py('all = []\nwhile True: all.append(open("/dev/null"))'), !hasPython],
  ] as const)('are no more than it may have: %s', async (_language, command, missing) => {
    if (missing) return;
    expect((await run(command, { openFiles: 64 })).exit).toMatchObject({
      code: 1,
      reason: 'it ended with code 1 at its open file limit 64 (EMFILE)',
      limit: { kind: 'openFiles', setting: 'limits.openFiles' },
    });
  });
});

describe('the disk of a cell', () => {
  const disk = { kind: 'disk', text: 'disk limit 4 MiB', setting: 'limits.diskMiB' };
  const fillNode = (folder: string) =>
    node(
      `const fs = require("node:fs"); for (let n = 0; n < 8; n += 1) fs.writeFileSync("${folder}/" + n, Buffer.alloc(1 << 20))`,
    );
  const fillPython = (folder: string) =>
    py(`for n in range(8):\n  with open("${folder}/%d" % n, "wb") as f: f.write(bytes(1 << 20))`);

  it.each([
    ['Node', fillNode('/tmp'), false],
    ['Node', fillNode('/home/cell'), false],
    ['Python', fillPython('/tmp'), !hasPython],
  ] as const)('is no larger than it may be: %s', async (_language, command, missing) => {
    if (missing) return;
    expect((await run(command, { diskMiB: 4 })).exit).toMatchObject({
      code: 1,
      reason: 'it ended with code 1 at its disk limit 4 MiB (ENOSPC)',
      limit: disk,
    });
  });

  it('holds for one file too, which kills, or is refused where a program prefers that', async () => {
    const { exit } = await run(['head', '-c', '9000000', '/dev/zero'], { diskMiB: 4 });
    expect(exit).toMatchObject({ code: 0, limit: null });
    const grown = await run(['/bin/sh', '-c', 'exec head -c 9000000 /dev/zero >/tmp/f'], { diskMiB: 4 });
    expect(grown.exit).toMatchObject({
      signal: 'SIGXFSZ',
      reason: 'killed: disk limit 4 MiB (a file)',
      limit: disk,
    });
    if (!hasPython) return;
    const refused = await run(py('open("/tmp/f", "wb").truncate(9 << 20)'), { diskMiB: 4 });
    expect(refused.exit).toMatchObject({
      reason: 'it ended with code 1 at its disk limit 4 MiB (EFBIG)',
      limit: disk,
    });
  });

  it("is not said to be full where a folder of the host's is", async () => {
    const folder = join(root, 'granted');
    mkdirSync(folder);
    chmodSync(folder, 0o777);
    const { exit } = await run(
      fillNode('/tmp'),
      { diskMiB: 4 },
      { files: [{ host: folder, cell: '/data', write: true }] },
    );
    expect(exit).toMatchObject({ reason: 'it ended with code 1: no space left on device', limit: null });
  });
});

describe('programs in C and C++', () => {
  const hasCompiler = spawnSync('g++', ['--version']).status === 0;
  const build = (name: string, source: string): string => {
    const folder = join(root, 'package');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, name), source);
    const program = `${name}.out`;
    execFileSync('g++', ['-O0', '-o', join(folder, program), join(folder, name)], { stdio: 'ignore' });
    return `/package/${program}`;
  };

  it.skipIf(!hasCompiler)('are told by what they say, too (waits for g++)', async () => {
    const packageDir = join(root, 'package');
    const throwing = build('throwing.cc', 'int main() { for (;;) new char[1 << 28]; }');
    const patient = build(
      'patient.cc',
      '#include <stdio.h>\n#include <stdlib.h>\nint main() { while (malloc(1 << 28)); perror("malloc"); return 3; }',
    );
    const [thrown, said] = await Promise.all([
      run([throwing], { memoryMiB: 200 }, { packageDir }),
      run([patient], { memoryMiB: 200 }, { packageDir }),
    ]);
    expect(thrown.exit).toMatchObject({
      signal: 'SIGABRT',
      reason: 'killed: memory limit 200 MiB (C++: std::bad_alloc)',
      limit: memory,
    });
    expect(said.exit).toMatchObject({
      code: 3,
      reason: 'it ended with code 3 at its memory limit 200 MiB (ENOMEM)',
      limit: memory,
    });
  });
});
