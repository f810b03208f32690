/**
 * ATTACKS 9 over WebSockets, on real sockets: a placeholder in a message, a ping, a pong or a Close, in every encoding that
 * an upstream would undo, in one frame and in many. Each leaves its event, and none becomes a message.
 */
import { describe, expect, it } from 'vitest';
import type { AuditEvent } from '../../src/audit/index.ts';
import { encodeClose, encodeFrameHead, OPCODE } from '../../src/wire/index.ts';
import {
  closeIn,
  fromProgram,
  handshakingUpstream,
  listener,
  rawProgram,
} from '../egress/websocket-world.ts';
import { API, bearer, inWorld, PLACEHOLDER, readAll, type World } from '../egress/world.ts';

const PLACE = `${API}:443`;
const MASK = [0, 0, 0, 0];
const dataOf = (event: AuditEvent | undefined): AuditEvent['data'] => event?.data ?? {};

describe('ATTACKS 9: a placeholder in a message', () => {
  const half = PLACEHOLDER.length >> 1;
  const parts = [PLACEHOLDER.slice(0, half), PLACEHOLDER.slice(half)];
  const escaped = PLACEHOLDER.replaceAll(
    /./g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  const cut = (opcode: number, pieces: readonly string[]): Buffer =>
    Buffer.concat(
      pieces.map((piece, index) => {
        const isLast = index === pieces.length - 1;
        const head = encodeFrameHead({
          fin: isLast,
          opcode: index === 0 ? (opcode === 1 ? 1 : 2) : OPCODE.continuation,
          length: piece.length,
          maskingKey: Buffer.from(MASK),
        });
        return Buffer.concat([head, Buffer.from(piece)]);
      }),
    );
  const cases: readonly (readonly [string, Buffer])[] = [
    ['as text', fromProgram(OPCODE.text, `{"x":"${PLACEHOLDER}"}`)],
    ['escaped as JSON', fromProgram(OPCODE.text, `{"x":"${escaped}"}`)],
    ['in base64', fromProgram(OPCODE.text, btoa(`ab${PLACEHOLDER}c`))],
    ['in hex', fromProgram(OPCODE.text, Buffer.from(PLACEHOLDER).toString('hex'))],
    ['as bytes', fromProgram(OPCODE.binary, `\0${PLACEHOLDER}\0`)],
    ['as UTF-16', fromProgram(OPCODE.binary, Buffer.from(PLACEHOLDER, 'utf16le'))],
    ['in two fragments', cut(1, parts)],
    ['in two fragments of bytes', cut(2, parts)],
    ['letter by letter', cut(1, Array.from(PLACEHOLDER))],
    ['letter by letter in base64', cut(1, Array.from(btoa(PLACEHOLDER)))],
    ['in a ping', fromProgram(OPCODE.ping, PLACEHOLDER)],
    ['in a pong', fromProgram(OPCODE.pong, `x${PLACEHOLDER}`)],
    ['in base64 in a ping', fromProgram(OPCODE.ping, btoa(PLACEHOLDER))],
    ['in the reason of a Close', fromProgram(OPCODE.close, encodeClose(1000, PLACEHOLDER))],
  ];

  async function attempt(world: World, bytes: Buffer): Promise<{ code: number; reason: string } | null> {
    const socket = await rawProgram(world);
    socket.write(
      Buffer.concat([fromProgram(OPCODE.text, 'before'), bytes, fromProgram(OPCODE.text, 'after')]),
    );
    return closeIn(await readAll(socket));
  }

  it.each(cases)('%s ends it where nothing is declared', async (_name, bytes) => {
    const heard = await listener();
    await inWorld({ upstreams: { [PLACE]: heard.upstream } }, async (world) => {
      const close = await attempt(world, bytes);
      expect(close?.code).toBe(1008);
      expect(close?.reason).toMatch(
        /^egress_placeholder_misplaced: The placeholder of TOKEN is in a WebSocket /,
      );
      await heard.ended;
      const [before, ...rest] = heard.frames;
      expect(before?.payload.toString()).toBe('before');
      expect(rest.at(-1)?.payload).toEqual(encodeClose(1008, ''));
      /* What was under way never became a message. */
      expect(rest.filter(({ head }) => head.fin && head.message !== null)).toEqual([]);
      expect(world.uses).toEqual([]);
      expect(dataOf((await world.eventsOf('credential.refused'))[0])).toMatchObject({
        code: 'egress_placeholder_misplaced',
        credential: 'TOKEN',
        host: API,
        path: '/',
      });
      expect(dataOf((await world.eventsOf('egress.finished'))[0])).toMatchObject({
        code: 'egress_placeholder_misplaced',
        status: 101,
      });
    });
  });

  it.each(cases)('%s ends it where it is declared for another format', async (_name, bytes) => {
    const heard = await listener();
    const credentials = [bearer({ inject: [{ websocket: 'text', format: 'AUTH {token}' }] })];
    await inWorld({ credentials, upstreams: { [PLACE]: heard.upstream } }, async (world) => {
      expect((await attempt(world, bytes))?.code).toBe(1008);
      await heard.ended;
      expect(heard.frames.filter(({ head }) => head.fin && head.message !== null)).toHaveLength(1);
      expect(world.uses).toEqual([]);
      const ok = await rawProgram(world); // the control: it goes in as declared
      ok.write(fromProgram(OPCODE.text, `AUTH ${PLACEHOLDER}`));
      while (world.uses.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      ok.destroy();
    });
  });

  it('of another cell is an incident', async () => {
    const heard = await listener();
    await inWorld({ upstreams: { [PLACE]: heard.upstream } }, async (world) => {
      const foreign = 'ghp_OTHERCELLq8Wn3Zx5Vb7Mk1Lp9Ts2Rd4Fg6';
      await world.egress.openCell({
        ...world.spec,
        identity: { ...world.spec.identity, cell: 'cel_other' as typeof world.spec.identity.cell },
        credentials: [bearer({ placeholder: foreign })],
      });
      expect((await attempt(world, fromProgram(OPCODE.text, foreign)))?.code).toBe(1008);
      expect(dataOf((await world.eventsOf('placeholder.foreign'))[0])).toMatchObject({
        code: 'egress_placeholder_foreign',
        ownerCell: 'cel_other',
      });
    });
  });

  it('is masked with a new key in each frame, whoever chose the payload', async () => {
    const received: Buffer[] = [];
    const upstream = await handshakingUpstream((socket) =>
      socket.on('data', (data: Buffer) => received.push(data)),
    );
    await inWorld({ upstreams: { [PLACE]: upstream } }, async (world) => {
      const program = await rawProgram(world);
      program.write(Buffer.concat(Array.from({ length: 600 }, () => fromProgram(OPCODE.text, 'same'))));
      const FRAME = 2 + 4 + 4;
      while (Buffer.concat(received).length < 600 * FRAME)
        await new Promise((resolve) => setTimeout(resolve, 5));
      const bytes = Buffer.concat(received);
      const keys = Array.from({ length: 600 }, (_, index) =>
        bytes.subarray(index * FRAME + 2, index * FRAME + 6).toString('hex'),
      );
      expect(new Set(keys).size).toBeGreaterThan(595);
      program.destroy();
    });
  });
});
