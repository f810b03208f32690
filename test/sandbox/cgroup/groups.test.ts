/**
 * Control groups of a real kernel, in a group that the test makes below the machine's first and takes away again. What needs
 * a controller (memory, number of processes, processors) needs a machine that has them on version 2.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ownProgram } from '../../own-process.ts';

const USER = 12_345;
const isRoot = process.getuid?.() === 0;
/** Where the hierarchy of version 2 is, and which group this process is in. */
const hierarchy = / \/ (\S+) \S+ (?:\S+ )*- cgroup2 /.exec(
  readFileSync('/proc/self/mountinfo', 'latin1'),
)?.[1];
const isFirst = /^0::\/$/m.test(readFileSync('/proc/self/cgroup', 'latin1'));
const possible = isRoot && hierarchy !== undefined && isFirst;

const repository = fileURLToPath(new URL('../../..', import.meta.url));
let stage = '';
let root = '';
const drivers = new Set<ChildProcess>();

/** Bottom up, with everything in it. */
function removeGroup(folder: string): void {
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { withFileTypes: true }))
    if (entry.isDirectory()) removeGroup(join(folder, entry.name));
  for (let tries = 0; tries < 200; tries += 1) {
    try {
      writeFileSync(join(folder, 'cgroup.kill'), '1');
      rmdirSync(folder);
      return;
    } catch {
      execFileSync('sleep', ['0.02']);
    }
  }
}

type Mode = 'root' | 'user';

/** Lets a user reach this checkout, which may lie where only root can. */
const asUser = `set -eu
stage=$1 repository=$2 node=$3 user=$4
shift 4
mkdir -p "$stage/repository"
: >>"$stage/node"
mount --bind "$repository" "$stage/repository"
mount --bind "$node" "$stage/node"
exec setpriv --reuid="$user" --regid="$user" --clear-groups "$stage/node" \\
  --import "$stage/repository/test/take-built.mjs" "$stage/repository/test/sandbox/cgroup/group-driver.ts" "$@"
`;

function start(mode: Mode, what: string) {
  const home = join(stage, `home-${mode}`);
  mkdirSync(home, { recursive: true, mode: 0o700 });
  if (mode === 'user') chownSync(home, USER, USER);
  const rest = [what, root, home];
  const [program, args]: [string, readonly string[]] =
    mode === 'root'
      ? [process.execPath, [...ownProgram(join(repository, 'test/sandbox/cgroup/group-driver.ts')), ...rest]]
      : [
          '/usr/bin/unshare',
          ['--mount', '/bin/sh', '-c', asUser, 'sh', stage, repository, process.execPath, `${USER}`, ...rest],
        ];
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  drivers.add(child);
  child.once('exit', () => drivers.delete(child));
  // Into the group that is given to it, before it does anything.
  writeFileSync(join(root, 'cgroup.procs'), String(child.pid));
  child.stdin.write('go\n');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    child,
    async next(): Promise<Record<string, unknown>> {
      const { value } = await lines.next();
      if (value === undefined) throw new Error(`the driver ended with ${child.exitCode}`);
      return JSON.parse(value) as Record<string, unknown>;
    },
    tell: (text: string) => child.stdin.write(`${text}\n`),
  };
}

beforeAll(() => {
  stage = realpathSync(mkdtempSync(join(tmpdir(), 'sallyport-groups-')));
  chmodSync(stage, 0o755);
});
afterEach(async () => {
  for (const child of drivers) {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  if (root !== '') removeGroup(root);
});
afterAll(() => rmSync(stage, { recursive: true, force: true }));

/** A group given to a mode's user, as a service manager gives one away. */
function give(mode: Mode): void {
  root = join(hierarchy ?? '', `sallyport-test-${process.pid}-${mode}`);
  mkdirSync(root);
  if (mode === 'root') return;
  for (const name of ['.', 'cgroup.procs', 'cgroup.subtree_control', 'cgroup.threads'])
    chownSync(join(root, name), USER, USER);
}

const gatewayOf = (child: ChildProcess): string => {
  const stat = readFileSync(`/proc/${child.pid}/stat`, 'latin1');
  return `/sallyport-${child.pid}-${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`;
};

describe.skipIf(!possible)('groups in a hierarchy of version 2 (waits for root in its first group)', () => {
  describe.each<Mode>(['root', 'user'])('given to %s', (mode) => {
    it('hold what is admitted, count it, and end it to the last process', async () => {
      give(mode);
      const driver = start(mode, 'groups');
      const own = gatewayOf(driver.child);
      const seen = await driver.next();
      expect(seen).toMatchObject({
        folders: [own, `${own}/gateway`],
        // The shell and what it started later.
        inside: 3,
        early: { oomKills: 0, forksRefused: 0, memoryPeakBytes: null },
        whileBusy: true,
        signal: 'SIGKILL',
        removed: true,
        again: true,
        gone: null,
        left: [],
      });
      expect(seen['self']).toBe(`${root.slice(hierarchy?.length)}${own}/gateway`);
      const [early, busy] = [seen['early'], seen['busy']] as { cpuUs: number }[];
      expect(busy?.cpuUs).toBeGreaterThan((early?.cpuUs ?? 0) + 50_000);
    });

    it('are where a whole cell is, and go with it', async () => {
      give(mode);
      const driver = start(mode, 'cell');
      const own = gatewayOf(driver.child);
      const seen = await driver.next();
      expect(seen).toMatchObject({
        folders: [own, `${own}/${String(seen['id'])}`, `${own}/gateway`],
        // The last of them may still be about to become `sleep`.
        names: ['bwrap', 'bwrap', 'sh', expect.stringMatching(/^(?:sh|sleep)$/)],
        // Inside there is no more to see than a namespace's own first group.
        stdout: expect.stringMatching(/^0::\/$/m),
      });
      driver.tell('kill');
      expect(await driver.next()).toMatchObject({
        exit: { reason: 'stopped by Sallyport', limit: null },
        folders: [own, `${own}/gateway`],
      });
    });

    it('of a gateway that is gone are removed by the next, with all that is left in them', async () => {
      give(mode);
      const first = start(mode, 'cell');
      const seen = await first.next();
      // Something that outlives its gateway: no program in a cell can, so the test puts it there.
      const stray = spawn('sleep', ['600'], { stdio: 'ignore' });
      const group = join(root, gatewayOf(first.child), String(seen['id']));
      writeFileSync(join(group, 'cgroup.procs'), String(stray.pid));
      const strayEnded = once(stray, 'exit');
      first.child.kill('SIGKILL');
      await once(first.child, 'exit');
      expect(existsSync(group)).toBe(true);

      const second = start(mode, 'sweep');
      const own = gatewayOf(second.child);
      expect(await second.next()).toEqual({ swept: 1, folders: [own, `${own}/gateway`] });
      expect(await strayEnded).toEqual([null, 'SIGKILL']);
    });

    it('of a gateway that lives are left alone', async () => {
      give(mode);
      const first = start(mode, 'cell');
      const { pids } = await first.next();
      const second = start(mode, 'sweep');
      const { swept } = await second.next();
      expect(swept).toBe(0);
      for (const pid of pids as number[]) expect(existsSync(`/proc/${pid}`)).toBe(true);
    });
  });
});
