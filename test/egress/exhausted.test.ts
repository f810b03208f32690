/** A gateway without a file descriptor left: what it cannot do it refuses, and it goes on when there are some again. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { ownProgram } from '../own-process.ts';

const CHILD = fileURLToPath(new URL('exhausted-child.ts', import.meta.url));

/** Resolves when the other side has ended the connection. */
async function isCut(place: { host: string; port: number }): Promise<boolean> {
  const socket = connect(place);
  socket.on('error', () => undefined);
  await once(socket, 'close');
  return true;
}

it('refuses, takes no connections, and forgets nothing that it knew', async () => {
  const limited = 'ulimit -n 96; exec "$0" "$@"';
  const child = spawn('bash', ['-c', limited, process.execPath, ...ownProgram(CHILD)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  try {
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const next = async (): Promise<unknown> => JSON.parse((await lines.next()).value ?? 'null');
    expect(await next()).toEqual({ before: '200' });
    const without = (await next()) as { code: string; place: { host: string; port: number } };
    expect(without).toMatchObject({ pinned: 'unresolved' });
    expect(without.code).toMatch(/^egress_(?:upstream_address_refused|descriptors_limit)$/);
    expect(await Promise.all(Array.from({ length: 5 }, () => isCut(without.place)))).not.toContain(false);
    child.stdin.write('go on\n');
    expect(await next()).toEqual({ after: '200', pinned: ['10.0.0.1'], another: 200 });
    child.stdin.end();
    expect(await once(child, 'exit')).toEqual([0, null]);
  } finally {
    child.kill('SIGKILL');
  }
});
