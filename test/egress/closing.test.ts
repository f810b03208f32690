/** What is left when a cell or the whole egress is closed: the record of what happened, and nothing else. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { newId, systemRandom } from '../../src/kernel/index.ts';
import { API, bearer, errorOf, httpsUpstream, inWorld, PLACEHOLDER, rawUpstream, World } from './world.ts';

describe('closing the egress', () => {
  it('leaves no socket and no timer, whatever was going on', async () => {
    const script = fileURLToPath(new URL('closing-process.ts', import.meta.url));
    const child = fork(script, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], execArgv: [] });
    onTestFinished(() => void child.kill('SIGKILL'));
    const exited = once(child, 'exit');
    const [[during, after]] = (await once(child, 'message')) as [[string[], string[]]];
    expect(during).toEqual(expect.arrayContaining(['TCPSocketWrap', 'TCPServerWrap', 'UDPWrap', 'Timeout']));
    expect(after).toEqual([]);
    expect(await exited).toEqual([0, null]); // by itself: nothing keeps it alive
  });
});

describe('closing a cell', () => {
  it('loses nothing of what happened in it, even when the egress closes right after', async () => {
    const { promise: arrived, resolve } = Promise.withResolvers<void>();
    const upstream = await httpsUpstream(() => resolve());
    const world = await World.open({ upstreams: { 'api.test:443': upstream } });
    const socket = await world.connectTls();
    socket.on('error', () => undefined);
    socket.write(`GET / HTTP/1.1\r\nHost: ${API}\r\n\r\n`);
    await arrived;
    world.auditDelayMs = 50;
    world.cell.close();
    await world.close();
    expect(world.events.map(({ type }) => type)).toEqual(['egress.request', 'egress.finished']);
  });

  it.each([
    ['with a credential', { Authorization: `Bearer ${PLACEHOLDER}` }, 'credential.used'],
    ['without one', {}, 'egress.request'],
  ])(
    'sends nothing of a request that is being recorded, %s, and records its outcome',
    async (_name, headers, intent) => {
      let heard = 0;
      const upstream = await rawUpstream((socket) => socket.on('data', () => (heard += 1)));
      const world = await World.open({ upstreams: { 'api.test:443': upstream } });
      world.auditDelayMs = 50;
      const request = world.request({ headers }).catch(() => null);
      await expect.poll(() => world.appends).toBe(1);
      world.cell.close();
      await world.close();
      const seen = world.events.map(({ type, data }) => [type, data['code']]);
      expect(seen).toEqual([
        [intent, undefined],
        ['egress.finished', 'cell_closed'],
      ]);
      expect([await request, heard]).toEqual([null, 0]);
    },
  );

  it('leaves nothing behind of a cell that could not be opened', async () => {
    await inWorld({}, async (world) => {
      const identity = { ...world.spec.identity, cell: newId<'cell'>('cel', systemRandom) };
      const credentials = [
        bearer({ placeholder: 'a-placeholder-of-its-own' }),
        bearer({ name: 'B', placeholder: 'abc' }),
      ];
      await expect(world.egress.openCell({ ...world.spec, identity, credentials })).rejects.toThrow(
        'too short',
      );
      const reply = await world.request({ path: '/a-placeholder-of-its-own' });
      expect(errorOf(reply).code).toBe('egress_upstream_unresolved'); // and not egress_placeholder_foreign
    });
  });

  it('cuts what is open, on both sides, at once', async () => {
    const { promise: arrived, resolve } = Promise.withResolvers<void>();
    const upstream = await httpsUpstream(() => resolve());
    await inWorld({ upstreams: { 'api.test:443': upstream } }, async (world) => {
      const socket = await world.connectTls();
      socket.on('error', () => undefined);
      socket.write(`GET / HTTP/1.1\r\nHost: ${API}\r\n\r\n`);
      await arrived;
      const upstreamClosed = once(upstream.connections[0] ?? socket, 'close');
      world.cell.close();
      await Promise.all([once(socket, 'close'), upstreamClosed]);
      expect((await world.eventsOf('egress.finished'))[0]?.data).toMatchObject({
        status: null,
        code: 'cell_closed',
      });
    });
  });
});
