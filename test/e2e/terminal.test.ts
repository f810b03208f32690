/** What only shows at a terminal: `script` gives the program one. */
import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeHome, proberManifest, waitFor } from './harness.ts';

const home = makeHome();
/** Of the essential packages of every Debian. */
const SCRIPT = 'script';
const started = new Set<ChildProcess>();
const program = join(import.meta.dirname, '../../bin/sallyport.mjs');

function atTerminal(...args: string[]) {
  const words = [process.execPath, program, ...args].map((word) => `'${word}'`).join(' ');
  // A new terminal has no size, and `exec` leaves nobody between it and the program to end of ctrl-C.
  const command = `stty cols 100 rows 30; exec ${words}`;
  const child = spawn(SCRIPT, ['--quiet', '--flush', '--return', '--command', command, '/dev/null'], {
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: process.env['HOME'] ?? '',
      TERM: 'xterm',
      SHELL: '/bin/sh',
      SALLYPORT_HOME: home.path,
    },
    stdio: 'pipe',
  });
  started.add(child);
  let shown = '';
  child.stdout.on('data', (chunk: Buffer) => (shown += chunk.toString()));
  return {
    shown: () => shown,
    type: (text: string) => void child.stdin.write(text),
    ended: new Promise<number | null>((done) => child.once('close', done)),
  };
}

beforeAll(async () => {
  await home.run('init');
  writeFileSync(join(home.path, 'prober.json'), proberManifest(home));
  await home.json('server', 'add', join(home.path, 'prober.json'));
});
afterAll(() => {
  for (const child of started) child.kill();
  home.remove();
});

describe('at a terminal', () => {
  it('a value is asked for without a sign of it, not even of its length', async () => {
    const value = 'sk-live-8hJ2kQ9mZ4pX7vW1';
    const terminal = atTerminal('secret', 'set', 'prober', 'API_KEY');
    await waitFor(() => terminal.shown().includes('Value of API_KEY for prober'));
    const before = terminal.shown().length;
    for (const char of value) terminal.type(char);
    terminal.type('\r');
    expect(await terminal.ended).toBe(0);
    expect(terminal.shown()).toContain('API_KEY of prober is set (version 1)');
    const after = terminal.shown().slice(before);
    expect(after).not.toContain(value.slice(0, 4));
    expect(after).not.toMatch(/[*•▪]{2}/);
    expect(terminal.shown()).not.toContain(value);
  });

  it('being asked can be declined, and nothing is changed', async () => {
    const terminal = atTerminal('secret', 'set', 'prober', 'API_KEY');
    await waitFor(() => terminal.shown().includes('Value of API_KEY'));
    terminal.type('half');
    terminal.type('\u0003');
    expect(await terminal.ended).toBe(1);
    expect(terminal.shown()).toContain('Cancelled; nothing was changed.');
    expect(await home.json('secret', 'list', 'prober')).toMatchObject([{ version: 1 }]);
  });

  it('a gateway says where it is and ends at ctrl-C', async () => {
    const terminal = atTerminal('serve', '--listen', '127.0.0.1:0');
    await waitFor(() => /Sallyport is running\. MCP clients connect to http:\/\/127/.test(terminal.shown()));
    terminal.type('\u0003');
    expect(await terminal.ended).toBe(0);
  });

  it('following the audit log ends at ctrl-C without a complaint', async () => {
    const terminal = atTerminal('audit', 'tail', '-f');
    await waitFor(() => terminal.shown().includes('secret.set'));
    terminal.type('\u0003');
    expect(await terminal.ended).toBe(0);
    expect(terminal.shown()).not.toMatch(/error/i);
  });
});
