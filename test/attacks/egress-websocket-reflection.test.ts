/**
 * ATTACKS 17 over WebSockets, on real sockets: a key on its way back in every encoding and fragmentation, in messages,
 * control frames and the handshake.
 */
import { once } from 'node:events';
import type { TLSSocket } from 'node:tls';
import { describe, expect, it } from 'vitest';
import type { AuditEvent } from '../../src/audit/index.ts';
import { encodeClose, OPCODE } from '../../src/wire/index.ts';
import { bodyCase, CODINGS, faultsOf } from '../egress/scrub/cases.ts';
import { renditions } from '../egress/scrub/renditions.ts';
import {
  fragments,
  fromProgram,
  handshakingUpstream,
  rawProgram,
  wsClient,
  wsProgram,
  wsUpstream,
} from '../egress/websocket-world.ts';
import { API, inWorld, PLACEHOLDER, readAll, TOKEN, type World } from '../egress/world.ts';

const PLACE = `${API}:443`;
const AUTH = `Authorization: Bearer ${PLACEHOLDER}\r\n`;
const M = 0x80;
const frameOf = (...bytes: number[]): Buffer => Buffer.of(...bytes);
const dataOf = (event: AuditEvent | undefined): AuditEvent['data'] => event?.data ?? {};

describe('ATTACKS 17: a key on its way back', () => {
  const [identity] = CODINGS;

  /** Everything that a program got in messages. */
  async function messagesOf(world: World, count: number): Promise<readonly Buffer[]> {
    const program = await wsProgram(world, { headers: { Authorization: `Bearer ${PLACEHOLDER}` } });
    await program.received(count);
    program.socket.terminate();
    return program.messages.map(({ data }) => data);
  }

  it.each(renditions(TOKEN))(
    'as $label is masked, in one frame and in two, cut anywhere',
    async (rendition) => {
      if (identity === undefined) return;
      const body = bodyCase(rendition, identity);
      const start = body.before.length - 1;
      const cuts = Array.from({ length: rendition.bytes.length + 2 }, (_, index) => start + index);
      const messages = cuts.map((at) =>
        fragments('binary', [body.coded.subarray(0, at), body.coded.subarray(at)]),
      );
      const upstream = await handshakingUpstream((socket) =>
        socket.write(Buffer.concat([fragments('binary', [body.coded]), ...messages])),
      );
      await inWorld({ upstreams: { [PLACE]: upstream } }, async (world) => {
        const got = await messagesOf(world, cuts.length + 1);
        expect(got.flatMap((message) => faultsOf(body, message))).toEqual([]);
        const [masked] = await world.eventsOf('egress.masked');
        expect(dataOf(masked)).toMatchObject({
          credentials: ['TOKEN'],
          encodings: [rendition.encoding],
          hits: cuts.length + 1,
        });
      });
    },
  );

  it('byte by byte in fragments, with pings between them', async () => {
    const text = Buffer.from(`{"a":"${TOKEN}","b":1}`);
    const frames = Array.from(text, (byte, index) => {
      const first = (index === text.length - 1 ? M : 0) | (index === 0 ? OPCODE.text : OPCODE.continuation);
      return Buffer.concat([frameOf(first, 1, byte), ...(index % 7 === 0 ? [frameOf(0x89, 0)] : [])]);
    });
    const upstream = await handshakingUpstream((socket) => socket.write(Buffer.concat(frames)));
    await inWorld({ upstreams: { [PLACE]: upstream } }, async (world) => {
      expect((await messagesOf(world, 1)).map(String)).toEqual([`{"a":"${PLACEHOLDER}","b":1}`]);
    });
  });

  it('in two messages: the part in the second is masked, and others stay as they are', async () => {
    const halves = [TOKEN.slice(0, 20), TOKEN.slice(20)];
    const upstream = await wsUpstream((socket) => {
      socket.send(`echo ${TOKEN}`);
      socket.send('harmless');
      for (const half of halves) socket.send(half);
      socket.send(halves[1] ?? '');
      for (const half of halves) {
        socket.send(Buffer.from(half));
        socket.send('between');
      }
      socket.send(halves[1] ?? '');
    });
    await inWorld({ upstreams: { [PLACE]: upstream } }, async (world) => {
      /* A message is delivered when it ends: the first part has passed when the second comes (`scrub/`). */
      const [first, second] = halves;
      const texts = [`echo ${PLACEHOLDER}`, 'harmless', first, PLACEHOLDER, second];
      const mixed = [first, 'between', PLACEHOLDER, 'between', second];
      expect((await messagesOf(world, 10)).map(String)).toEqual([...texts, ...mixed]);
      expect(dataOf((await world.eventsOf('egress.masked'))[0])).toMatchObject({ hits: 3 });
    });
  });

  it('in the head of the handshake', async () => {
    const upstream = await handshakingUpstream(
      () => undefined,
      `X-Echo: ${TOKEN}\r\nSet-Cookie: k=${btoa(TOKEN)}\r\n`,
    );
    await inWorld({ upstreams: { [PLACE]: upstream } }, async (world) => {
      const client = await wsClient(world, { headers: { Authorization: `Bearer ${PLACEHOLDER}` } });
      const [response] = (await once(client, 'upgrade')) as [{ headers: Record<string, unknown> }];
      expect(response.headers['x-echo']).toBe(PLACEHOLDER);
      expect(JSON.stringify(response.headers)).not.toContain(btoa(TOKEN).slice(0, 40));
      client.terminate();
    });
  });

  it('in pings, pongs and the reason of a Close', async () => {
    const control = (opcode: number, payload: string): Buffer =>
      Buffer.concat([frameOf(M | opcode, payload.length), Buffer.from(payload, 'latin1')]);
    const upstream = await handshakingUpstream((socket) =>
      socket.write(
        Buffer.concat([
          control(OPCODE.ping, TOKEN),
          control(OPCODE.ping, 'harmless'),
          control(OPCODE.pong, btoa(TOKEN)),
          control(OPCODE.close, encodeClose(4000, `bad key ${TOKEN}`).toString('latin1')),
        ]),
      ),
    );
    await inWorld({ upstreams: { [PLACE]: upstream } }, async (world) => {
      const socket = await rawProgram(world, AUTH);
      const bytes = [control(OPCODE.ping, 'harmless'), frameOf(0x88, 2, 4000 >> 8, 4000 & 255)];
      socket.end(fromProgram(OPCODE.close, Buffer.of(15, 160)));
      expect(await readAll(socket)).toBe(Buffer.concat(bytes).toString('latin1'));
      expect(dataOf((await world.eventsOf('egress.masked'))[0])).toMatchObject({
        credentials: ['TOKEN'],
        hits: 3,
      });
    });
  });

  it('that became known while the message was under way', async () => {
    const NEXT = 'ghp_NEXTb2D4f6H8j0K2m4P6r8T0v2X4z6B8d0F2';
    let socket: TLSSocket | null = null;
    const upstream = await handshakingUpstream((opened) => {
      socket = opened;
      opened.write(fragments('text', [Buffer.from('first')]));
      opened.write(Buffer.concat([frameOf(0x01, 6), Buffer.from('begin ')]));
    });
    await inWorld({ upstreams: { [PLACE]: upstream } }, async (world) => {
      const program = await wsProgram(world, { headers: { Authorization: `Bearer ${PLACEHOLDER}` } });
      await program.received(1);
      world.secrets.set('TOKEN', NEXT);
      await world.cell.refresh();
      const rest = Buffer.from(`${NEXT} and ${TOKEN} end`);
      socket?.write(Buffer.concat([frameOf(0x80, rest.length), rest]));
      expect((await program.received(2))[1]).toBe(`begin ${PLACEHOLDER} and ${PLACEHOLDER} end`);
      program.socket.terminate();
    });
  });

  it('is on record while the socket is open', async () => {
    const upstream = await wsUpstream((socket) => socket.send(TOKEN));
    await inWorld({ upstreams: { [PLACE]: upstream } }, async (world) => {
      const program = await wsProgram(world);
      expect(await program.received(1)).toEqual([PLACEHOLDER]);
      expect(dataOf((await world.eventsOf('egress.masked'))[0])).toMatchObject({ hits: 1 });
      expect(world.events.filter(({ type }) => type === 'egress.finished')).toEqual([]);
      program.socket.terminate();
    });
  });
});
