/**
 * Memory, processes and processors of cells, held by control groups of version 2, on a machine that has the controllers there:
 * a small one made for it, with a kernel of its own. It takes about two minutes, emulated.
 *
 * Waits for SALLYPORT_TEST_KERNEL (an image that `qemu-system-x86_64` boots, with everything built in that Debian's cloud kernel
 * has) and for QEMU; SALLYPORT_TEST_QEMU names another program, or one with arguments.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addFolders, addProgram, addTree, cpio, type Files } from './initramfs.ts';

const kernel = process.env['SALLYPORT_TEST_KERNEL'];
const [qemu = '', ...qemuArguments] = (process.env['SALLYPORT_TEST_QEMU'] ?? 'qemu-system-x86_64').split(' ');
const repository = fileURLToPath(new URL('../..', import.meta.url));

const programs =
  'sh bwrap chown cat cp echo env head id ip ls mkdir mkfifo mount prlimit seq setpriv sleep stat switch_root unshare';

/** Cells cannot be built on the file system that a kernel starts with: nothing can be put in its place. */
const first = `#!/bin/sh
mkdir /new
mount -t tmpfs -o size=1000m,mode=755 new /new
cp -a /usr /repo /etc /bin /sbin /lib /lib64 /second /new/
cd /new && mkdir proc sys dev tmp run root
exec switch_root /new /second
`;
const second = `#!/bin/sh
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
mkdir -p /dev/shm; mount -t tmpfs shm /dev/shm; mount -t tmpfs -o mode=1777 tmp /tmp
ip link set lo up
mount -t cgroup2 -o nsdelegate none /sys/fs/cgroup
for name in memory pids cpu; do echo +$name >/sys/fs/cgroup/cgroup.subtree_control; done
for who in root user; do
  group=/sys/fs/cgroup/$who; mkdir $group; mkdir -m 700 /tmp/$who; as=
  if [ $who = user ]; then
    as='setpriv --reuid=12345 --regid=12345 --clear-groups'
    chown 12345:12345 /tmp/user $group $group/cgroup.procs $group/cgroup.subtree_control $group/cgroup.threads
  fi
  sh -c "echo \\$\\$ >$group/cgroup.procs; exec $as node --no-warnings /repo/test/vm/guest.ts $who /tmp/$who"
done
echo o >/proc/sysrq-trigger
sleep 60
`;

function machine(): Buffer {
  const files: Files = new Map();
  addFolders(
    files,
    'etc',
    'proc',
    'sys',
    'dev',
    'tmp',
    'run',
    'usr/sbin',
    'usr/lib',
    'usr/lib64',
    'usr/share/zoneinfo',
  );
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) files.set(name, { link: `usr/${name}` });
  for (const name of programs.split(' ')) addProgram(files, name);
  addProgram(files, 'node', process.execPath);
  files.set('etc/passwd', Buffer.from('root:x:0:0::/root:/bin/sh\n'));
  files.set('usr/lib/os-release', readFileSync('/usr/lib/os-release'));
  files.set('usr/share/zoneinfo/UTC', readFileSync('/usr/share/zoneinfo/UTC'));
  addTree(files, join(repository, 'src'), 'repo/src');
  addTree(files, join(repository, 'package.json'), 'repo/package.json');
  addTree(files, join(repository, 'test/vm/guest.ts'), 'repo/test/vm/guest.ts');
  const { packages } = JSON.parse(readFileSync(join(repository, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean; optional?: boolean; link?: boolean }>;
  };
  for (const [path, { dev, optional, link }] of Object.entries(packages))
    if (path !== '' && !dev && !optional && !link) addTree(files, join(repository, path), join('repo', path));
  files.set('init', Buffer.from(first));
  files.set('second', Buffer.from(second));
  return cpio(files);
}

interface Result {
  readonly who: string;
  readonly what: string;
  readonly value: { readonly reason: string; readonly limit: string | null; readonly stdout: string };
}

describe.skipIf(kernel === undefined)(
  'control groups on a machine of their own (waits for SALLYPORT_TEST_KERNEL)',
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'sallyport-vm-'));
    const results: Result[] = [];
    let output = '';

    beforeAll(async () => {
      const initrd = join(folder, 'initrd');
      writeFileSync(initrd, machine());
      const hardware =
        '-accel tcg,thread=multi -cpu max -smp 2 -m 2500 -nographic -no-reboot -nodefaults -serial stdio';
      const child = spawn(
        qemu,
        [
          ...qemuArguments,
          ...hardware.split(' '),
          '-kernel',
          kernel ?? '',
          '-initrd',
          initrd,
          '-append',
          'console=ttyS0 loglevel=2 panic=-1 cgroup_no_v1=all',
        ],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      );
      child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
      await once(child, 'exit');
      for (const [, json = ''] of output.matchAll(/RESULT (.*?)\r?$/gm))
        results.push(JSON.parse(json) as Result);
    }, 600_000);
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    describe.each(['root', 'user'])('given to %s', (who) => {
      const of = (what: string) =>
        (
          results.find((result) => result.who === who && result.what === what) ?? {
            value: output.slice(-2_000),
          }
        ).value;

      it('are there, and nothing but its own is left at the end', () => {
        expect(of('controllers')).toEqual(['cpu', 'memory', 'pids']);
        expect(of('left')).toEqual(['sallyport-ID', 'gateway']);
      });

      it('hold memory: all of it, of all processes, and end the whole cell', () => {
        const killed = (mebibytes: number) => ({
          reason: `killed: memory limit ${mebibytes} MiB`,
          limit: 'memory',
          stdout: '',
        });
        expect(of('memory')).toEqual(killed(200));
        expect(of('memory of a child')).toEqual(killed(200));
        expect(of('memory in files')).toEqual(killed(100));
        expect(of('memory in files, control')).toMatchObject({ limit: null, stdout: 'written\n' });
        expect(of('a Node that reserves more than it takes')).toMatchObject({
          limit: null,
          stdout: 'fits\n',
        });
      });

      it('hold the number of processes, and know of it where the program says nothing', () => {
        expect(of('processes')).toEqual({
          reason: 'it ended with code 9 at its process limit 24 (cannot fork)',
          limit: 'processes',
          stdout: '',
        });
        expect(of('processes, control')).toMatchObject({ limit: null, stdout: 'all\n' });
      });

      it('put the gateway before its cells', () => {
        expect(of('weight')).toEqual(['1000']);
      });

      it('slow a cell down to its share of the processors', () => {
        const [limited, free] = [of('processors'), of('processors, control')];
        expect([limited, free]).toMatchObject([{ limit: null }, { limit: null }]);
        const share = (value: typeof limited): number =>
          Number(typeof value === 'string' ? Number.NaN : value.stdout);
        expect(share(limited)).toBeLessThan(0.3);
        expect(share(free)).toBeGreaterThan(share(limited) * 1.5);
      });
    });
  },
);
