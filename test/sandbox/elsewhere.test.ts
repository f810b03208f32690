/** Machines that cannot have cells: everything but a cell works there, and what is refused says what to do. */
import type * as FileSystem from 'node:fs';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { type CellId, silentLog, systemClock, systemRandom } from '../../src/kernel/index.ts';
import { checkSystem } from '../../src/sandbox/host-system.ts';
import { createPackageStore, createSandbox } from '../../src/sandbox/index.ts';

/** As on systems without it: every look at /proc or /sys fails, and is remembered. */
const looks = vi.hoisted((): string[] => []);
vi.mock('node:fs', async (original) => {
  const real = await original<typeof FileSystem>();
  const guarded =
    <Given extends unknown[], Answer>(call: (path: never, ...rest: Given) => Answer) =>
    (path: unknown, ...rest: Given): Answer => {
      if (!/^\/(?:proc|sys)\b/.test(String(path))) return call(path as never, ...rest); // passed on as it came
      looks.push(String(path));
      throw Object.assign(new Error(`ENOENT: ${String(path)}`), { code: 'ENOENT' });
    };
  return {
    ...real,
    readFileSync: guarded(real.readFileSync),
    readdirSync: guarded(real.readdirSync),
    existsSync: guarded(real.existsSync),
    readlinkSync: guarded(real.readlinkSync),
  };
});

const folder = mkdtempSync(join(tmpdir(), 'sallyport-elsewhere-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const sandboxOn = (platform: string, arch: string) =>
  createSandbox({
    stateDir: join(folder, `${platform}-${arch}`, 'run'),
    log: silentLog,
    clock: systemClock,
    random: systemRandom,
    system: { platform, arch },
  });

const spec = {
  id: 'cell_0000000000000000' as CellId,
  label: 'test',
  command: ['node', '--version'],
  args: [],
  env: {},
  tcpPorts: [443],
  caPem: '',
  files: [],
  limits: {},
};
const nobody = { onTcp: () => undefined, onDnsUdp: () => undefined, onDnsTcp: () => undefined };

describe('a machine that cannot have cells', () => {
  it.each([
    ['darwin', 'arm64', 'macOS on arm64', 'Linux container (Docker Desktop, Podman)'],
    ['win32', 'x64', 'Windows on x64', 'WSL 2'],
    ['freebsd', 'x64', 'FreeBSD on x64', 'Linux virtual machine'],
    ['linux', 'riscv64', 'Linux on riscv64', 'a machine of one of these kinds'],
    ['sunos', 'x64', 'sunos on x64', 'Linux virtual machine'],
  ])('such as %s on %s is told what it is, and what else there is', async (platform, arch, name, instead) => {
    const sandbox = await sandboxOn(platform, arch);
    expect(await sandbox.sweep()).toBe(0);
    await expect(sandbox.launch(spec, nobody)).rejects.toMatchObject({
      code: 'sandbox_unavailable',
      message: `Cells need Linux on x86-64 or arm64; this is ${name}.`,
      hint: expect.stringContaining(instead) as string,
    });
    expect(await sandbox.check()).toMatchObject([
      { name: 'system', ok: false, found: name, fix: expect.stringContaining(instead) as string },
    ]);
    expect(looks).toEqual([]);
  });

  it('has a store of packages all the same', async () => {
    const store = createPackageStore({
      dir: join(folder, 'packages'),
      log: silentLog,
      clock: systemClock,
      cell: { run: () => Promise.reject(new Error('there are no cells')) },
      installers: [],
    });
    expect(await store.sweep()).toBe(0);
  });

  it('is none that runs Linux on what there are filters for', () => {
    expect(checkSystem({ platform: 'linux', arch: 'x64' })).toEqual({ ok: true, architecture: 'x64' });
    expect(checkSystem({ platform: 'linux', arch: 'arm64' })).toEqual({ ok: true, architecture: 'arm64' });
  });
});
