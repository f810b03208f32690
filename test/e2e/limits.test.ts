/** A limit that is reached, as those who have to do with it hear of it: the client, the server's log, the audit log, the next caller. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attackerManifest, openWorld, waitFor, type World } from '../attacks/whole-world.ts';

let world: World;
beforeAll(async () => {
  world = await openWorld();
  for (const [name, limits] of Object.entries({
    hungry: { memoryMiB: 200 },
    slow: { callSeconds: 2 },
  })) {
    const manifest = attackerManifest(world.folder, name);
    const server = manifest['server'] as Record<string, unknown>;
    await world.addServer({ ...manifest, server: { ...server, limits } });
  }
});
afterAll(() => world.close());

describe('a server that takes more memory than its manifest allows', () => {
  it('is ended, and everybody is told why', async () => {
    const grow = async (megabytes: number): Promise<number> => {
      const all: Buffer[] = [];
      while (all.length < megabytes / 4) all.push(Buffer.alloc(1 << 22, 1));
      if (megabytes > 100) await new Promise(() => undefined);
      return all.length;
    };
    expect(await world.inCell(grow, 40, 'hungry'), 'the control').toBe(10);
    await expect(world.inCell(grow, 500, 'hungry')).rejects.toThrow(
      'The server "hungry" stopped: killed: memory limit 200 MiB.',
    );
    const exited = await world.event(
      ({ type, data }) => type === 'cell.exited' && data['limit'] === 'limits.memoryMiB',
    );
    expect(exited.data).toMatchObject({ reason: 'killed: memory limit 200 MiB', signal: 'SIGKILL' });
    await world.event(({ type, data }) => type === 'call.finished' && data['code'] === 'upstream_exited');
    // Whoever calls before it may be started again hears it too.
    await expect(world.inCell(grow, 500, 'hungry')).rejects.toThrow('killed: memory limit 200 MiB');
    await waitFor(async () =>
      (await world.run('server', 'logs', 'hungry')).stdout.includes('ended: killed: memory limit 200 MiB'),
    );
  });
});

describe('a call that takes longer than its server allows', () => {
  it('is stopped, and the server goes on with what it has', async () => {
    await world.inCell(() => (Reflect.set(globalThis, 'kept', 'as it was'), null), null, 'slow');
    await expect(world.inCell(() => new Promise<null>(() => undefined), null, 'slow')).rejects.toThrow(
      'The call to "slow" was stopped: call limit 2 s.',
    );
    await world.event(({ type, data }) => type === 'call.finished' && data['code'] === 'call_time_limit');
    expect(await world.inCell(() => Reflect.get(globalThis, 'kept') as string, null, 'slow')).toBe(
      'as it was',
    );
  });
});

describe('a machine that lets nobody have much', () => {
  it('has cells within what it lets them have', async () => {
    const low = ['--core=0:0', '--memlock=65536:65536', '--sigpending=500:500', '--nofile=700:700'];
    const program = join(import.meta.dirname, '../../bin/sallyport.mjs');
    const child = spawn('prlimit', [...low, process.execPath, program, 'doctor', '--json'], {
      env: { PATH: process.env['PATH'], SALLYPORT_HOME: world.home },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    for await (const chunk of child.stdout) text += String(chunk);
    expect(text).toMatch(/"name":"trial cell","ok":true/);
  });
});
