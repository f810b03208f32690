/**
 * ATTACKS 9 and 17 over WebSockets with everything real: a server in its cell, with the WebSocket client inside Node,
 * logs in by message as chat gateways want it, and looks at whatever comes back.
 */
import type { Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeFrame, type FrameHead, FrameReader, OPCODE } from '../../src/wire/index.ts';
import { acceptOf } from '../egress/websocket-world.ts';
import { API, attackerManifest, KEY, openWorld, type World } from './whole-world.ts';

let world: World;
/** Messages that the upstream got. */
let got: string[] = [];

/** Answers every message with the key, in the ways that a careless or hostile upstream may. */
function serve(socket: Socket): void {
  const reader = new FrameReader({ from: 'client', payloadBytesMax: 1_000_000 });
  let frame: FrameHead | null = null;
  let message = '';
  const send = (text: string): boolean => socket.write(encodeFrame(OPCODE.text, Buffer.from(text), null));
  const sink = {
    onFrame(head: FrameHead): void {
      frame = head;
    },
    onPayload(data: Buffer, isLast: boolean): void {
      if (frame?.opcode === OPCODE.close) {
        socket.end(encodeFrame(OPCODE.close, data, null));
        return;
      }
      message += data.toString();
      if (!isLast || frame?.fin !== true) return;
      got.push(message);
      for (const text of [`you said ${message}`, KEY, btoa(KEY), Buffer.from(KEY).toString('hex'), 'done'])
        send(text);
      message = '';
    },
  };
  socket.on('data', (bytes: Buffer) => reader.read(bytes, 0, sink));
}

beforeAll(async () => {
  const credential = (attackerManifest('')['credentials'] as readonly object[])[0];
  world = await openWorld({
    manifest: () => ({
      credentials: [
        {
          ...credential,
          inject: [{ header: 'Authorization', format: 'Bearer {token}' }, { websocket: '/d/token' }],
        },
      ],
    }),
  });
  world.answer = ({ head }, socket) => {
    const key = /^sec-websocket-key: (.*)$/im.exec(head)?.[1] ?? '';
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptOf(key)}\r\n\r\n`,
    );
    serve(socket);
  };
});
afterAll(() => world.close());

/** Runs in the cell: sends one message and gives what came back, and how it ended. */
function talk({ host, before, after }: { host: string; before: string; after: string }) {
  const socket = new WebSocket(`wss://${host}/gateway`);
  const messages: string[] = [];
  socket.addEventListener('open', () => socket.send(`${before}${process.env['API_KEY']}${after}`));
  socket.addEventListener('message', ({ data }) => {
    messages.push(String(data));
    if (data === 'done') socket.close(1000);
  });
  return new Promise<{ messages: string[]; code: number; reason: string; placeholder: string }>((resolve) => {
    socket.addEventListener('close', ({ code, reason }) =>
      resolve({ messages, code, reason, placeholder: process.env['API_KEY'] ?? '' }),
    );
  });
}

describe('a WebSocket out of a cell', () => {
  it('carries the key where it is declared, and none of it back', async () => {
    got = [];
    const said = await world.inCell(talk, { host: API, before: '{"op":2,"d":{"token":"', after: '"}}' });
    expect(got).toEqual([`{"op":2,"d":{"token":"${KEY}"}}`]);
    expect(said.code).toBe(1000);
    expect(said.messages).toHaveLength(5);
    expect(said.messages[0]).toBe(`you said {"op":2,"d":{"token":"${said.placeholder}"}}`);
    expect(said.messages[1]).toBe(said.placeholder);
    expect(said.messages.join()).not.toContain(btoa(KEY).slice(0, 40));
    expect(said.messages.join()).not.toContain(Buffer.from(KEY).toString('hex'));
    const finished = await world.event(
      ({ type, data }) => type === 'egress.finished' && data['path'] === '/gateway',
    );
    expect(finished.data).toMatchObject({
      status: 101,
      credentials: ['API_KEY'],
      webSocket: { sent: 1, received: 5, closeCode: 1000, closedBy: 'client' },
    });
    await world.event(({ type }) => type === 'egress.masked');
  });

  it('ends where a placeholder stands anywhere else', async () => {
    got = [];
    const said = await world.inCell(talk, { host: API, before: '{"email":"', after: '"}' });
    expect(got).toEqual([]);
    expect(said.code).toBe(1008);
    expect(said.reason).toContain('egress_placeholder_misplaced');
    const refused = await world.event(({ type }) => type === 'credential.refused');
    expect(refused.data).toMatchObject({
      code: 'egress_placeholder_misplaced',
      credential: 'API_KEY',
      path: '/gateway',
    });
  });

  it('leaves no key in the record', async () => {
    expect(await world.exported()).not.toContain(KEY);
  });
});
