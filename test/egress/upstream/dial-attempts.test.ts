import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { connectFirst, type Endpoint, interleave } from '../../../src/egress/upstream/dial-attempts.ts';

interface Listening extends Endpoint {
  readonly server: Server;
  readonly accepted: Socket[];
}

async function listening(address: string, port = 0): Promise<Listening> {
  const accepted: Socket[] = [];
  const server = createServer((socket) => accepted.push(socket.on('error', () => undefined)));
  server.listen(port, address);
  await once(server, 'listening');
  return { server, accepted, address, port: (server.address() as AddressInfo).port };
}

const close = async ({ server, accepted }: Listening): Promise<void> => {
  for (const socket of accepted) socket.destroy();
  server.close();
  await once(server, 'close');
};

const never = new AbortController().signal;

/** All sockets that `body` has connected, or tried to. */
async function socketsOf(body: () => Promise<void>): Promise<Socket[]> {
  const made: Socket[] = [];
  const onSocket = (message: unknown): void => void made.push((message as { socket: Socket }).socket);
  subscribe('net.client.socket', onSocket);
  try {
    await body();
  } finally {
    unsubscribe('net.client.socket', onSocket);
  }
  return made;
}

describe('the order of addresses', () => {
  it('has the families in turn, begins with the first, and loses none', () => {
    const address = fc.oneof(fc.ipV4(), fc.ipV6());
    fc.assert(
      fc.property(fc.array(address, { maxLength: 12 }), (given) => {
        const mixed = interleave(given);
        expect([...mixed].sort()).toEqual([...given].sort());
        expect(mixed[0]).toBe(given[0]);
        for (const isV6 of [true, false]) {
          const ofFamily = (list: readonly string[]): readonly string[] =>
            list.filter((text) => text.includes(':') === isV6);
          expect(ofFamily(mixed)).toEqual(ofFamily(given));
        }
      }),
      { seed: 11 },
    );
    expect(interleave(['::1', '::2', '::3', '10.0.0.1', '10.0.0.2'])).toEqual([
      '::1',
      '10.0.0.1',
      '::2',
      '10.0.0.2',
      '::3',
    ]);
  });
});

describe('a connection to the first that answers', () => {
  it('is to the first address where that answers; the others hear nothing', async () => {
    const first = await listening('127.0.0.1');
    const second = await listening('127.0.0.2', first.port);
    const connected = await connectFirst([first, second], never);
    expect(connected.ok && connected.value.remoteAddress).toBe('127.0.0.1');
    if (connected.ok) connected.value.destroy();
    await Promise.all([close(first), close(second)]);
    expect(second.accepted).toHaveLength(0);
  });

  it('is to the other family where the first address refuses', async () => {
    const only = await listening('127.0.0.1');
    const connected = await connectFirst([{ address: '::1', port: only.port }, only], never);
    expect(connected.ok && connected.value.remoteAddress).toBe('127.0.0.1');
    if (connected.ok) connected.value.destroy();
    await close(only);
  });

  it('fails with the last reason where all refuse', async () => {
    const gone = await listening('127.0.0.1');
    await close(gone);
    const connected = await connectFirst([{ ...gone, address: '127.0.0.2' }, gone], never);
    expect(connected).toEqual({ ok: false, error: { reason: 'ECONNREFUSED', address: '127.0.0.1' } });
  });

  it('is given up when nobody wants it, before and after it has begun', async () => {
    const place = await listening('127.0.0.1');
    expect(await connectFirst([place], AbortSignal.abort())).toMatchObject({
      error: { reason: 'ABORT_ERR' },
    });
    const stop = new AbortController();
    const made = await socketsOf(async () => {
      const connecting = connectFirst([place], stop.signal);
      stop.abort();
      expect(await connecting).toMatchObject({ error: { reason: 'ABORT_ERR' } });
    });
    expect(made.map((socket) => socket.destroyed)).toEqual([true]);
    await close(place);
  });

  it('does not wait for an address that says nothing', async () => {
    /* Its thread is stuck, so that the kernel's queue of two runs full and further connections get no answer. */
    const worker = new Worker(
      `const { parentPort } = require('node:worker_threads');
       const server = require('node:net').createServer();
       server.listen({ host: '127.0.0.3', port: 0, backlog: 1 }, () => {
         parentPort.postMessage(server.address().port);
         setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0));
       });`,
      { eval: true },
    );
    const [port] = (await once(worker, 'message')) as [number];
    const silent: Endpoint = { address: '127.0.0.3', port };
    const stop = new AbortController();
    const fill = Array.from({ length: 6 }, () => connectFirst([silent], stop.signal));
    const answering = await listening('127.0.0.1', port);
    const made = await socketsOf(async () => {
      const connected = await connectFirst([silent, answering], never);
      expect(connected.ok && connected.value.remoteAddress).toBe('127.0.0.1');
    });
    expect(made.map((socket) => socket.destroyed)).toEqual([true, false]); // the slower one was cut
    for (const socket of made) socket.destroy();
    stop.abort();
    for (const one of await Promise.all(fill)) if (one.ok) one.value.destroy();
    await close(answering);
    await worker.terminate();
  });
});
