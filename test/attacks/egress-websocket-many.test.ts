/**
 * ATTACKS 7 and 17 over many WebSockets of one cell at once, on real sockets: both sides of each send seeded frames,
 * valid ones and others, in packets of any size. Whatever one does, the others get what a plain model says, nobody
 * gets the key, every connection ends, and the cell goes on.
 */
import { once } from 'node:events';
import type { TLSSocket } from 'node:tls';
import { expect, it } from 'vitest';
import { newId, systemRandom } from '../../src/kernel/index.ts';
import { encodeClose, OPCODE } from '../../src/wire/index.ts';
import { FOREIGN } from '../egress/inject/bound-request.ts';
import {
  bytesOf,
  type Expected,
  expectedDown,
  expectedUp,
  itemsIn,
  LOGINS,
  messagesOf,
  type Side,
} from '../fuzz/websocket-relay.ts';
import { type Below, seeded, split } from '../fuzz/random.ts';
import { fromProgram, handshakingUpstream, opening } from '../egress/websocket-world.ts';
import { API, bearer, inWorld, TOKEN, type World } from '../egress/world.ts';

const SEED = 20_251_121;
const CONNECTIONS = 60;
const CLOSE = Buffer.concat([Buffer.of(0x88, 2), encodeClose(1000, '')]);

/** What both sides of one connection say. */
interface Script {
  readonly bytes: Readonly<Record<Side, Buffer>>;
  readonly packets: Readonly<Record<Side, readonly Buffer[]>>;
  readonly expected: Readonly<Record<Side, Expected>>;
}

function scriptOf(below: Below, index: number): Script {
  const make = (from: Side): Buffer =>
    index % 3 === 0 || (index % 3 === 1) === (from === 'client')
      ? messagesOf(below, from)
      : bytesOf(below, from);
  const bytes = { client: make('client'), server: make('server') };
  const packets = (from: Side): readonly Buffer[] => split(below, bytes[from], 1 + below(300));
  return {
    bytes,
    packets: { client: packets('client'), server: packets('server') },
    expected: { client: expectedUp(bytes.client), server: expectedDown(bytes.server) },
  };
}

async function say(socket: TLSSocket, packets: readonly Buffer[]): Promise<void> {
  for (const packet of packets) {
    if (socket.destroyed || socket.writableEnded) return;
    socket.write(packet);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

it('many at once, whatever they send', async () => {
  const below = seeded(SEED);
  const scripts = Array.from({ length: CONNECTIONS }, (_, index) => scriptOf(below, index));
  const got = new Map<number, Promise<Buffer>>();
  const upstream = await handshakingUpstream((socket, head) => {
    const index = Number(/^GET \/(\d+) /.exec(head)?.[1]);
    const script = scripts[index];
    if (script === undefined) return;
    const pieces: Buffer[] = [];
    socket.on('data', (data: Buffer) => {
      pieces.push(data);
      /* Whoever is told that it ends says so too, and is done. */
      if (closesIn('client', pieces) && !socket.writableEnded) socket.end(CLOSE);
    });
    got.set(
      index,
      once(socket, 'close').then(() => Buffer.concat(pieces)),
    );
    void say(socket, script.packets.server);
  });
  await inWorld({ credentials: LOGINS, upstreams: { [`${API}:443`]: upstream } }, async (world) => {
    const { identity } = world.spec;
    await world.egress.openCell({
      ...world.spec,
      identity: { ...identity, cell: newId('cel', systemRandom) },
      credentials: [bearer({ placeholder: FOREIGN })],
    });
    const heard = await Promise.all(scripts.map((script, index) => program(world, script, index)));
    const finished = await world.eventsOf('egress.finished', CONNECTIONS);
    expect(finished).toHaveLength(CONNECTIONS);
    let whole = 0;
    for (const [index, { expected }] of scripts.entries()) {
      const down = withoutClose(itemsIn('server', [heard[index] ?? Buffer.alloc(0)]));
      const up = withoutClose(itemsIn('client', [(await got.get(index)) ?? Buffer.alloc(0)]));
      for (const [from, items] of [
        ['client', up],
        ['server', down],
      ] as const) {
        const model = withoutClose(expected[from].items);
        expect(items, `${index}, from the ${from}`).toEqual(model.slice(0, items.length));
      }
      expect(String(heard[index])).not.toContain(TOKEN);
      if (!mayEnd(scripts[index]?.expected.client) && !mayEnd(scripts[index]?.expected.server)) {
        whole += 1;
        expect(up).toHaveLength(withoutClose(expected.client.items).length);
        expect(down).toHaveLength(withoutClose(expected.server.items).length);
      }
    }
    expect(whole).toBeGreaterThan(5); // the control: those that nobody disturbs get everything
    expect((await program(world, scripts[0] as Script, 0)).length).toBeGreaterThan(0);
  });
});

/** Says what it has to say, closes once it has heard all that it should, and gives what it has heard. */
async function program(world: World, { packets, expected }: Script, index: number): Promise<Buffer> {
  const socket = await world.connectTls();
  socket.on('error', () => undefined);
  const awaited = withoutClose(expected.server.items).length;
  let all = Buffer.alloc(0);
  let start = 0;
  let hasSaid = false;
  const closeWhenDone = (): void => {
    const items = withoutClose(itemsIn('server', [all.subarray(start)]));
    if (!hasSaid || items.length < awaited || socket.destroyed || socket.writableEnded) return;
    socket.end(fromProgram(OPCODE.close, encodeClose(1000, '')));
  };
  socket.on('data', (data: Buffer) => {
    all = Buffer.concat([all, data]);
    if (start === 0) {
      const end = all.indexOf('\r\n\r\n');
      if (end < 0) return;
      start = end + 4;
      void say(socket, packets.client).then(() => {
        hasSaid = true;
        closeWhenDone();
      });
    }
    closeWhenDone();
  });
  socket.write(opening('', `/${index}`));
  await once(socket, 'close');
  return all.subarray(start);
}

const withoutClose = (items: readonly string[]): readonly string[] =>
  items.filter((item) => !item.startsWith(`${OPCODE.close} `));
const closesIn = (from: Side, pieces: readonly Buffer[]): boolean => {
  const items = itemsIn(from, pieces);
  return withoutClose(items).length < items.length;
};
/** Whether anything in it ends the connection, or leaves it in the middle of something. */
const mayEnd = (expected: Expected | undefined): boolean =>
  expected === undefined ||
  expected.isEnded ||
  expected.begun.kind !== '' ||
  withoutClose(expected.items).length < expected.items.length;
