/** `kill -9` while values are being put: nothing that was acknowledged is lost, and the audit chain is whole. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { install } from './installation.ts';

const CHILD = fileURLToPath(new URL('putting-child.ts', import.meta.url));
const ROUNDS = 4;

/** Kills the child as soon as it has acknowledged so many. @returns the last count that it acknowledged per slot */
async function putAndKill(acknowledgements: number, args: readonly string[]): Promise<Map<string, number>> {
  const child = spawn(process.execPath, [CHILD, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let complaints = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaints += chunk.toString();
  });
  const exited = new Promise<NodeJS.Signals | null>((resolve) =>
    child.once('close', (_, signal) => resolve(signal)),
  );
  const acknowledged = new Map<string, number>();
  let count = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    const [slot, , value] = line.split(' ');
    if (slot === undefined || value === undefined) throw new Error(`an answer of another kind: ${line}`);
    acknowledged.set(slot, Number(value));
    count += 1;
    if (count === acknowledgements) child.kill('SIGKILL');
  }
  expect([await exited, complaints]).toEqual(['SIGKILL', '']);
  return acknowledged;
}

it('keeps every acknowledged value, openable, and an audit chain that verifies', async () => {
  const home = await install();
  try {
    const server = await home.addServer('github');
    const acknowledged = new Map<string, number>();
    for (let round = 0; round < ROUNDS; round += 1) {
      const start = String(round * 10_000);
      const counts = await putAndKill(17 + 13 * round, [home.directory, home.workspace, server, start]);
      for (const [slot, count] of counts) acknowledged.set(slot, count);

      const after = await home.another();
      for (const [slot, count] of acknowledged) {
        const ref = { server, serverSlug: 'github', name: `NAME_${slot}`, owner: null };
        using secret = await after.vault.use(home.agent, ref, { kind: 'scrub', data: {} });
        const [word, found] = secret.reveal().split(' ');
        expect(word).toBe('value');
        // What came after the last acknowledgement may be there or not; what came before it must not be.
        expect(Number(found)).toBeGreaterThanOrEqual(count);
      }
      const report = await after.audit.verify(home.workspace);
      expect([report.ok, report.problems]).toEqual([true, []]);
    }
    expect(acknowledged.size).toBe(4);

    // Every value that is there was announced, and nothing was used that was not.
    const events = [];
    for await (const event of home.audit.export(home.workspace)) events.push(event);
    for (const credential of await home.store.credentials.list(home.workspace)) {
      const set = events.filter(
        ({ type, data }) => type === 'secret.set' && data['credential'] === credential.id,
      );
      expect(set.map(({ data }) => data['version'])).toContain(credential.version);
    }
    expect(events.filter(({ type }) => type === 'credential.used').length).toBeGreaterThanOrEqual(
      17 + 30 + 43 + 56,
    );
  } finally {
    await home.dispose();
  }
});
