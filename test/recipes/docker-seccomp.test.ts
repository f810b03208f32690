/** The profile for containers: in step with its data, sufficient for a cell, and narrower than no profile at all. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { allowed, conditional } from '../../src/sandbox/seccomp/allowlist.ts';
import type { CallRules } from '../../src/sandbox/seccomp/filter.ts';
import { arm64Numbers, x64Numbers } from '../../src/sandbox/seccomp/syscall-numbers.ts';
import { canFilter, generatedProfile, rulesOf, runUnder, storedProfile } from './container-filter.ts';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-recipes-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const rules = rulesOf(storedProfile());
const without = (...names: string[]): CallRules => ({
  ...rules,
  allowed: rules.allowed.filter((name) => !names.includes(name)),
});

const DOCTOR = resolve(import.meta.dirname, 'doctor-checks.ts');
interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly found: string;
  readonly fix?: string;
}
/** What the doctor says about cells under a filter, a really built one included. */
async function doctorUnder(filter: CallRules): Promise<readonly Check[]> {
  const env = { PATH: '/usr/bin:/bin', TMPDIR: folder, NODE_NO_WARNINGS: '1' };
  const ran = await runUnder(filter, folder, [process.execPath, DOCTOR], env);
  expect(ran.stderr).toBe('');
  return JSON.parse(ran.stdout) as Check[]; // what doctor-checks.ts prints
}

describe('docker-seccomp.json', () => {
  it('is what its generator makes of the list for cells', () => {
    expect(storedProfile()).toEqual(generatedProfile());
  });

  it('allows whatever a cell may use: no filter can give back what one above it refuses', () => {
    const usable = Object.entries(conditional)
      .filter(([, { cases, otherwise }]) =>
        [otherwise, ...cases.map(({ verdict }) => verdict)].includes('allow'),
      )
      .map(([name]) => name);
    const given = new Set([...rules.allowed, ...Object.keys(rules.conditional)]);
    expect([...allowed, ...usable].filter((name) => !given.has(name))).toEqual([]);
  });

  it('names calls that exist', () => {
    const names = [...rules.allowed, ...Object.keys(rules.conditional)];
    expect(names.filter((name) => !x64Numbers.has(name) && !arm64Numbers.has(name))).toEqual([]);
  });

  it('refuses what reaches the kernel of the host beyond what a container needs', () => {
    const given = new Set([...rules.allowed, ...Object.keys(rules.conditional)]);
    const refused = `
      acct add_key bpf delete_module finit_module fsopen init_module io_uring_setup kexec_load keyctl kcmp
      chroot lookup_dcookie mount_setattr move_mount open_by_handle_at open_tree perf_event_open process_vm_readv ptrace
      quotactl reboot request_key setdomainname setns settimeofday swapon syslog userfaultfd
    `;
    expect(
      refused
        .trim()
        .split(/\s+/)
        .filter((name) => given.has(name)),
    ).toEqual([]);
  });
});

// `.ci/run` brings Python on machines where it may install something.
describe.skipIf(!canFilter)('a container with that profile', () => {
  it('builds cells', async () => {
    const checks = await doctorUnder(rules);
    expect(checks.filter(({ ok }) => !ok)).toEqual([]);
    expect(checks.find(({ name }) => name === 'trial cell')?.ok).toBe(true);
    expect(checks.find(({ name }) => name === 'seccomp')?.found).toContain("somebody's filter");
  });

  it.each([['unshare'], ['mount'], ['pivot_root'], ['umount2'], ['sethostname']])(
    'would not without %s',
    async (call) => {
      expect((await doctorUnder(without(call))).some(({ ok }) => !ok)).toBe(true);
    },
  );

  it('is what the doctor asks for where a filter refuses namespaces', async () => {
    const checks = await doctorUnder(without('unshare'));
    const namespaces = checks.find(({ name }) => name === 'user namespaces');
    expect(namespaces).toMatchObject({
      ok: false,
      found: expect.stringContaining('not permitted') as string,
    });
    // Where there is no mark of a container, it is put down to a unit of systemd.
    expect(namespaces?.fix).toMatch(
      /--security-opt seccomp=docker-seccomp\.json|SystemCallFilter=|seccompProfile/,
    );
  });
});
