import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { commandLineOf, descendantsOf, environmentOf, memoryOf } from './cell-processes.ts';

const HOLDS = `globalThis.kept = Buffer.from(process.argv[1], 'hex'); console.log('ready'); setInterval(() => {}, 1000);`;
const KEPT = 'sally-kept-in-memory-4711';

const children: ReturnType<typeof spawn>[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

async function holder(): Promise<number> {
  const words = ['-e', HOLDS, Buffer.from(KEPT).toString('hex')];
  const child = spawn(process.execPath, words, { env: { SHOWN: 'yes=no' }, stdio: 'pipe' });
  children.push(child);
  if (child.stdout !== null) await once(child.stdout, 'data');
  return child.pid ?? 0;
}

describe('a look into processes', () => {
  it('finds those below another, with their environment and command line', async () => {
    const pid = await holder();
    expect(descendantsOf(process.pid)).toContain(pid);
    expect(environmentOf(pid)?.get('SHOWN')).toBe('yes=no');
    expect(commandLineOf(pid).toString('latin1').split('\0')).toContain('-e');
  });

  it('finds what they keep in memory, and not what they do not', async () => {
    const pid = await holder();
    expect(remembers(pid, KEPT)).toBe(true);
    expect(remembers(pid, `never-${KEPT}`)).toBe(false);
  });
});

function remembers(pid: number, text: string): boolean {
  for (const piece of memoryOf(pid)) if (piece.includes(text)) return true;
  return false;
}
