import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  bootId,
  firstInNamespace,
  identify,
  isAlive,
  onlyChild,
} from '../../src/sandbox/process-identity.ts';

describe('process identity', () => {
  it('names this process, and no other that gets its number', () => {
    const self = identify(process.pid);
    expect(self).toEqual({ pid: process.pid, startTime: expect.stringMatching(/^\d+$/) });
    if (self === null) return;
    expect(isAlive(self)).toBe(true);
    expect(isAlive({ ...self, startTime: `${Number(self.startTime) - 1}` })).toBe(false);
  });

  it('reads past a program name with spaces and parentheses', async () => {
    const child = spawn('/bin/sh', ['-c', 'printf "a) R 1 (b" >/proc/$$/comm; echo; read x'], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    const found = identify(child.pid ?? 0);
    const self = identify(process.pid);
    expect(Number(found?.startTime)).toBeGreaterThanOrEqual(Number(self?.startTime));
    if (found !== null) expect(isAlive(found)).toBe(true);
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.stdin.end('\n');
    await gone;
    if (found !== null) expect(isAlive(found)).toBe(false);
  });

  it('does not take a zombie for alive', async () => {
    // The shell never waits for its child, so the child stays a zombie as long as the shell sleeps.
    const child = spawn('/bin/sh', ['-c', '(echo "$(exec sh -c \'echo $PPID\')") & exec sleep 600'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    try {
      const pid = Number(await new Promise<Buffer>((resolve) => child.stdout.once('data', resolve)));
      await expect.poll(() => readFileSync(`/proc/${pid}/stat`, 'latin1')).toMatch(/\) Z /);
      const zombie = identify(pid);
      expect(zombie).not.toBe(null);
      if (zombie !== null) expect(isAlive(zombie)).toBe(false);
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('knows nothing of a process that is not there', () => {
    expect(identify(0x7fffffff)).toBe(null);
  });

  it('tells the first process of a namespace from an elder child', async () => {
    const script = 'sleep 60 & exec unshare --user --map-root-user --pid --fork sh -c "echo; read x"';
    const child = spawn('/bin/sh', ['-c', script], { detached: true, stdio: ['pipe', 'pipe', 'ignore'] });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    const pid = child.pid ?? 0;
    try {
      const command = (of: { readonly pid: number } | null): string =>
        readFileSync(`/proc/${of?.pid}/cmdline`, 'latin1').replaceAll('\0', ' ').trim();
      // It may still be the shell that becomes it.
      await expect.poll(() => command(onlyChild(pid))).toBe('sleep 60');
      expect(command(firstInNamespace(pid))).toBe('sh -c echo; read x');
      expect(firstInNamespace(process.pid)).toBe(null);
    } finally {
      process.kill(-pid, 'SIGKILL');
    }
  });

  it('has a boot id', () => {
    expect(bootId()).toMatch(/^[0-9a-f-]{36}$/);
  });
});
