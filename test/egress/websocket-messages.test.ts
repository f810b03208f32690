/** Messages over WebSockets: where keys go into them, how they are passed on, and what slows them down. */
import { once } from 'node:events';
import type { TLSSocket } from 'node:tls';
import { describe, expect, it } from 'vitest';
import type { CredentialBinding } from '../../src/egress/index.ts';
import { AppError, fixedClock, limits, systemClock } from '../../src/kernel/index.ts';
import { encodeFrame, encodeFrameHead, masked, OPCODE, type Opcode } from '../../src/wire/index.ts';
import {
  closeIn,
  echo,
  fromProgram,
  type Heard,
  keeper,
  listener,
  rawProgram,
  wsProgram,
  wsUpstream,
} from './websocket-world.ts';
import { API, bearer, call, cellCalls, inWorld, PLACEHOLDER, readAll, TOKEN, type World } from './world.ts';

const PLACE = `${API}:443`;
const MASK = Buffer.of(5, 6, 7, 8);
const fragment = (opcode: Opcode, text: string, fin: boolean): Buffer => {
  const payload = Buffer.from(text);
  const head = encodeFrameHead({ fin, opcode, length: payload.length, maskingKey: MASK });
  return Buffer.concat([head, masked(payload, MASK, 0)]);
};

describe('messages of a program', () => {
  const message = (over: Partial<CredentialBinding> = {}): CredentialBinding[] => [
    bearer({ inject: [{ websocket: 'text', format: 'AUTH {token}' }, { websocket: '/d/token' }], ...over }),
  ];

  it('get the key where it is declared, once its use is on record, and stay in their order', async () => {
    const { upstream, count } = await keeper();
    await inWorld({ credentials: message(), upstreams: { [PLACE]: upstream } }, async (world) => {
      world.auditDelayMs = 20;
      const program = await wsProgram(world);
      const used: number[] = [];
      upstream.server.clients.forEach((socket) =>
        socket.on('message', () =>
          used.push(world.events.filter(({ type }) => type === 'credential.used').length),
        ),
      );
      program.socket.send('first');
      program.socket.send(`AUTH ${PLACEHOLDER}`);
      program.socket.send(Buffer.from('binary'));
      program.socket.send(`{"op":2,"d":{"token":"${PLACEHOLDER}"}}`);
      program.socket.send('last');
      expect(await count(5)).toEqual([
        'first',
        `AUTH ${TOKEN}`,
        'binary',
        `{"op":2,"d":{"token":"${TOKEN}"}}`,
        'last',
      ]);
      expect(used).toEqual([0, 1, 1, 2, 2]);
      program.socket.close();
      const [finished] = await world.eventsOf('egress.finished');
      expect(finished?.data).toMatchObject({ credentials: ['TOKEN'], webSocket: { sent: 5 } });
    });
  });

  it('get the key when they come in fragments', async () => {
    const { upstream, count } = await keeper();
    await inWorld({ credentials: message(), upstreams: { [PLACE]: upstream } }, async (world) => {
      const program = await wsProgram(world);
      const [one, two, three] = [
        `AUTH ${PLACEHOLDER.slice(0, 9)}`,
        PLACEHOLDER.slice(9, 12),
        PLACEHOLDER.slice(12),
      ];
      program.socket.send(one, { fin: false });
      program.socket.ping('still there');
      program.socket.send(two, { fin: false });
      program.socket.send(three, { fin: true });
      expect(await count(2)).toEqual(['ping still there', `AUTH ${TOKEN}`]);
      program.socket.terminate();
    });
  });

  it('are not sent when the use cannot be recorded, or the key not be given', async () => {
    const { upstream, got, closed } = await keeper();
    await inWorld({ credentials: message(), upstreams: { [PLACE]: upstream } }, async (world) => {
      const program = await wsProgram(world);
      world.useFailure = new AppError('audit_unavailable', 'The audit log cannot be written.', {
        kind: 'unavailable',
      });
      program.socket.send(`AUTH ${PLACEHOLDER}`);
      program.socket.send('behind');
      expect(await program.closed).toEqual({
        code: 1011,
        reason: 'audit_unavailable: The audit log cannot be written.',
      });
      expect(await closed).toEqual({ code: 1011, reason: '' });
      expect(got).toEqual([]);
      const [finished] = await world.eventsOf('egress.finished');
      expect(finished?.data).toMatchObject({
        code: 'audit_unavailable',
        webSocket: { closeCode: 1011, closedBy: 'gateway' },
      });
    });
  });

  it('get a key that is for calls during calls only', async () => {
    const { upstream, count, closed } = await keeper();
    let calls = cellCalls([call()]);
    const options = { credentials: message({ use: 'during-calls' }), calls: { callsIn: () => calls } };
    const clock = fixedClock(limits.cellStartUpMs + 1);
    await inWorld(
      {
        ...options,
        clock: { ...systemClock, monotonic: () => clock.monotonic() },
        upstreams: { [PLACE]: upstream },
      },
      async (world) => {
        const program = await wsProgram(world);
        program.socket.send(`AUTH ${PLACEHOLDER}`);
        expect(await count(1)).toEqual([`AUTH ${TOKEN}`]);
        calls = cellCalls([], { begun: true });
        program.socket.send(`AUTH ${PLACEHOLDER}`);
        expect((await program.closed).code).toBe(1008);
        expect((await closed).code).toBe(1008);
        expect(await count(1)).toHaveLength(1);
        const [refused] = await world.eventsOf('credential.refused');
        expect(refused?.data).toMatchObject({ code: 'egress_credential_outside_call', credential: 'TOKEN' });
      },
    );
  });

  it('end when a tool runs that they are not for', async () => {
    const { upstream, count, closed } = await keeper();
    let calls = cellCalls([]);
    const tools = { rules: [], readOnly: 'enforce' } as const;
    const options = { tools, calls: { callsIn: () => calls }, upstreams: { [PLACE]: upstream } };
    await inWorld(options, async (world) => {
      const program = await wsProgram(world);
      program.socket.send('before');
      expect(await count(1)).toEqual(['before']);
      calls = cellCalls([call({ tool: 'get_issue', readOnly: true })]);
      program.socket.send('during');
      expect((await program.closed).code).toBe(1008);
      await closed;
      expect(await count(1)).toEqual(['before']);
      const [refused] = await world.eventsOf('egress.refused');
      expect(refused?.data).toMatchObject({ code: 'egress_read_only' });
    });
  });

  describe.each([
    ['passes as it comes', [bearer()]],
    ['is held', message()],
  ])('in fragments, where a text %s', (_name, credentials) => {
    it('end when another tool runs than when they began', async () => {
      const heard = await listener();
      let calls = cellCalls([call()]);
      const tools = { rules: [], readOnly: 'enforce' } as const;
      const options = { credentials, tools, calls: { callsIn: () => calls } };
      await inWorld({ ...options, upstreams: { [PLACE]: heard.upstream } }, async (world) => {
        const socket = await rawProgram(world);
        socket.write(fragment(OPCODE.text, 'as long as ', false));
        socket.write(fragment(OPCODE.continuation, 'it may ', false));
        socket.write(fromProgram(OPCODE.ping, '')); // behind the fragments: they have arrived
        await heard.got((frames) => frames.some(({ head }) => head.opcode === OPCODE.ping));
        calls = cellCalls([call({ id: 'call_2', tool: 'get', readOnly: true })]);
        socket.write(fragment(OPCODE.continuation, 'and on', true));
        expect(closeIn(await readAll(socket))).toMatchObject({ code: 1008 });
        await heard.ended;
        expect(heard.text()).not.toContain('and on');
        const [refused] = await world.eventsOf('egress.refused');
        expect(refused?.data).toMatchObject({ code: 'egress_read_only', calls: [{ id: 'call_2' }] });
      });
    });
  });

  it.each<[string, CredentialBinding[], string, string]>([
    ['the head', [bearer({ use: 'during-calls' })], `Authorization: Bearer ${PLACEHOLDER}\r\n`, 'first'],
    ['a message', message({ use: 'during-calls' }), '', `AUTH ${PLACEHOLDER}`],
  ])('are not sent under a key for calls in %s when none runs', async (_name, credentials, head, first) => {
    const heard = await listener();
    let calls = cellCalls([call()]);
    const clock = fixedClock(limits.cellStartUpMs + 1);
    const options = {
      credentials,
      calls: { callsIn: () => calls },
      clock: { ...systemClock, monotonic: () => clock.monotonic() },
      upstreams: { [PLACE]: heard.upstream },
    };
    await inWorld(options, async (world) => {
      const socket = await rawProgram(world, head);
      socket.write(fromProgram(OPCODE.text, first));
      await heard.got((frames) => frames.length === 1);
      calls = cellCalls([], { begun: true });
      socket.write(fromProgram(OPCODE.ping, 'alive')); // says nothing, and keeps it for the next call
      await heard.got((frames) => frames.length === 2);
      calls = cellCalls([call({ id: 'call_2' })]);
      socket.write(fromProgram(OPCODE.text, 'in the next call'));
      await heard.got((frames) => frames.length === 3);
      calls = cellCalls([], { begun: true });
      socket.write(fromProgram(OPCODE.text, 'when nobody asks'));
      expect(closeIn(await readAll(socket))).toMatchObject({ code: 1008 });
      await heard.ended;
      expect(heard.text()).toContain('in the next call');
      expect(heard.text()).not.toContain('when nobody asks');
      const [refused] = await world.eventsOf('credential.refused');
      expect(refused?.data).toMatchObject({
        code: 'egress_credential_outside_call',
        credential: 'TOKEN',
        attribution: 'none',
      });
    });
  });

  describe.each<[string, CredentialBinding[], string, string]>([
    ['the head', [bearer()], `Authorization: Bearer ${PLACEHOLDER}\r\n`, 'first'],
    ['a message', message(), '', `AUTH ${PLACEHOLDER}`],
  ])('after a key in %s', (_name, credentials, head, first) => {
    async function opened(body: (world: World, socket: TLSSocket, heard: Heard) => Promise<void>) {
      const heard = await listener();
      await inWorld({ credentials, upstreams: { [PLACE]: heard.upstream } }, async (world) => {
        const socket = await rawProgram(world, head);
        socket.write(fromProgram(OPCODE.text, first));
        await heard.got((frames) => frames.length === 1);
        await body(world, socket, heard);
      });
    }

    it('go on when it is rotated', async () => {
      await opened(async (world, socket, heard) => {
        world.secrets.set('TOKEN', 'another');
        await world.cell.refresh();
        socket.write(fromProgram(OPCODE.text, 'second'));
        await heard.got((frames) => frames.length === 2);
        socket.destroy();
      });
    });

    it.each([
      ['with the next one', true],
      ['soon, where none comes', false],
    ])('end when it is deleted: %s', async (_when, isSent) => {
      await opened(async (world, socket, heard) => {
        world.secrets.delete('TOKEN');
        await world.cell.refresh();
        if (isSent) socket.write(fromProgram(OPCODE.text, 'second'));
        const close = closeIn(await readAll(socket));
        expect(close?.code).toBe(1008);
        expect(close?.reason).toContain('egress_credential_withdrawn');
        await heard.ended;
        expect(heard.text()).not.toContain('second');
        const code = 'egress_credential_withdrawn';
        const [refused] = await world.eventsOf('egress.refused');
        expect(refused?.data).toMatchObject({ code, credential: 'TOKEN' });
        const [finished] = await world.eventsOf('egress.finished');
        expect(finished?.data).toMatchObject({ code, webSocket: { closedBy: 'gateway' } });
      });
    });
  });

  it('in which a place is declared have a limit', async () => {
    const { upstream, closed } = await keeper();
    await inWorld({ credentials: message(), upstreams: { [PLACE]: upstream } }, async (world) => {
      const program = await wsProgram(world);
      program.socket.send('x'.repeat(limits.requestBodyBufferBytesMax + 1));
      expect((await program.closed).code).toBe(1009);
      expect((await closed).code).toBe(1009);
      const [refused] = await world.eventsOf('egress.refused');
      expect(refused?.data).toMatchObject({ code: 'egress_body_too_large' });
    });
  });

  it.each([1, limits.webSocketPieceBytes - 1, limits.webSocketPieceBytes, 3_000_000])(
    'of %i bytes come through as they are',
    async (bytes) => {
      const upstream = await wsUpstream(echo);
      await inWorld({ upstreams: { [PLACE]: upstream } }, async (world) => {
        const program = await wsProgram(world);
        const text = 'caf\u00e9 '.repeat(bytes).slice(0, bytes);
        program.socket.send(text);
        program.socket.send(Buffer.alloc(bytes, 7));
        await program.received(2);
        expect(program.messages[0]?.data.toString() === text).toBe(true);
        expect(program.messages[1]?.data.equals(Buffer.alloc(bytes, 7))).toBe(true);
        program.socket.terminate();
      });
    },
  );
});

describe('pings and pongs', () => {
  it('go both ways', async () => {
    const { upstream, count, sockets } = await keeper();
    await inWorld({ upstreams: { [PLACE]: upstream } }, async (world) => {
      const program = await wsProgram(world);
      program.socket.ping('there?');
      expect(await once(program.socket, 'pong')).toEqual([Buffer.from('there?')]);
      for (const socket of sockets) {
        socket.ping('and there?');
        await once(socket, 'pong');
      }
      expect(program.pings).toEqual([Buffer.from('and there?')]);
      expect(await count(2)).toEqual(['ping there?', 'pong and there?']);
      program.socket.terminate();
    });
  });
});

describe('a side that does not read', () => {
  const PIECE = 64 * 1024;
  const PIECES = 400;
  /** What sockets, TLS and the gateway hold of it at most, generously. */
  const HELD = 16 * 1024 * 1024;

  it('slows the upstream down, and gets everything in the end', async () => {
    let sent = 0;
    const upstream = await wsUpstream((socket) => {
      const next = (): void => {
        if (sent >= PIECES) return;
        sent += 1;
        socket.send(Buffer.alloc(PIECE, sent), next);
      };
      next();
    });
    await inWorld({ upstreams: { [PLACE]: upstream } }, async (world) => {
      const program = await wsProgram(world);
      program.socket.pause();
      for (let before = -1; before !== sent; ) {
        before = sent;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      expect(sent * PIECE).toBeLessThan(HELD);
      program.socket.resume();
      await program.received(PIECES);
      expect(program.messages.map(({ data }) => data[PIECE - 1])).toEqual(
        Array.from({ length: PIECES }, (_, index) => (index + 1) & 255),
      );
      program.socket.terminate();
    });
  });

  it('slows the program down', async () => {
    const { upstream, sockets, got, count } = await keeper();
    await inWorld({ upstreams: { [PLACE]: upstream } }, async (world) => {
      const program = await wsProgram(world);
      sockets[0]?.pause();
      let sent = 0;
      const next = (): void => {
        if (sent >= PIECES) return;
        sent += 1;
        program.socket.send('x'.repeat(PIECE), next);
      };
      next();
      for (let before = -1; before !== sent; ) {
        before = sent;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      expect(sent * PIECE).toBeLessThan(HELD);
      expect(got).toHaveLength(0);
      sockets[0]?.resume();
      await count(PIECES);
      program.socket.terminate();
    });
  });
});

describe('what is between messages, while a tool runs that may not send any', () => {
  const tools = { rules: [], readOnly: 'enforce' } as const;
  const reading = cellCalls([call({ id: 'call_2', tool: 'get', readOnly: true })]);

  it.each([
    ['a ping', OPCODE.ping],
    ['a pong that nobody asked for', OPCODE.pong],
  ])('%s with something in it ends the connection', async (_name, opcode) => {
    const heard = await listener();
    let calls = cellCalls([call()]);
    const options = { tools, calls: { callsIn: () => calls }, upstreams: { [PLACE]: heard.upstream } };
    await inWorld(options, async (world) => {
      const socket = await rawProgram(world);
      socket.write(fromProgram(opcode, 'control'));
      await heard.got((frames) => frames.length === 1);
      calls = reading;
      socket.write(fromProgram(opcode, ''));
      await heard.got((frames) => frames.length === 2);
      socket.write(fromProgram(opcode, 'secret'));
      expect(closeIn(await readAll(socket))).toMatchObject({ code: 1008 });
      await heard.ended;
      expect(heard.text()).not.toContain('secret');
      expect((await world.eventsOf('egress.refused'))[0]?.data).toMatchObject({ code: 'egress_read_only' });
    });
  });

  it('the answer to a ping passes, and a Close without its reason', async () => {
    const heard = await listener((socket) =>
      socket.write(Buffer.concat([encodeFrame(OPCODE.ping, Buffer.from('you?'), null)])),
    );
    let calls = cellCalls([call()]);
    const options = { tools, calls: { callsIn: () => calls }, upstreams: { [PLACE]: heard.upstream } };
    await inWorld(options, async (world) => {
      const socket = await rawProgram(world);
      await once(socket, 'data');
      calls = reading;
      const close = Buffer.concat([Buffer.of(3, 232), Buffer.from('secret')]);
      socket.end(Buffer.concat([fromProgram(OPCODE.pong, 'you?'), fromProgram(OPCODE.close, close)]));
      await heard.ended;
      expect(heard.frames.map(({ head, payload }) => [head.opcode, payload.toString('latin1')])).toEqual([
        [OPCODE.pong, 'you?'],
        [OPCODE.close, '\x03\xe8'],
      ]);
      expect(world.events.filter(({ type }) => type === 'egress.refused')).toEqual([]);
    });
  });
});
