/**
 * gRPC with everything real: a client of `@grpc/grpc-js` in its cell, a server of it behind the gateway. All four kinds of
 * calls, deadlines, cancelling, status and metadata, and the key in none of what comes back (ATTACKS 9, 17).
 */
import { once } from 'node:events';
import { createSecureServer, type Http2SecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import {
  Metadata,
  type MethodDefinition,
  type sendUnaryData,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  status,
} from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { API, type CellRequire, HOSTILE, KEY, waitFor, type World } from '../attacks/whole-world.ts';
import { identityOf, openHttp2Cell } from './http2-cell.ts';

let world: World;
let server: Server;
let hostile: Http2SecureServer;
/** What the server saw, by call. */
let calls: { kind: string; authorization: string; key: string; deadline: boolean; ended: boolean }[] = [];
/** How often a streaming method has been asked to go on. */
let written = 0;

/* ---- the server ---- */

const asIs = (bytes: Buffer): Buffer => bytes;
const method = (
  path: string,
  requestStream: boolean,
  responseStream: boolean,
): MethodDefinition<Buffer, Buffer> => ({
  path,
  requestStream,
  responseStream,
  requestSerialize: asIs,
  requestDeserialize: asIs,
  responseSerialize: asIs,
  responseDeserialize: asIs,
});
const SERVICE = {
  unary: method('/test.Echo/Unary', false, false),
  list: method('/test.Echo/List', false, true),
  gather: method('/test.Echo/Gather', true, false),
  chat: method('/test.Echo/Chat', true, true),
};

/** What all kinds of calls have. */
interface Call {
  readonly metadata: Metadata;
  getDeadline(): Date | number;
  sendMetadata(metadata: Metadata): void;
  on(event: 'cancelled', listener: () => void): unknown;
}

const firstOf = (metadata: Metadata, name: string): string => String(metadata.get(name)[0] ?? '');

/** Keeps what came, and sends the key back before the first message; gives it for the end as well. */
function begin(kind: string, call: Call): Metadata {
  const authorization = firstOf(call.metadata, 'authorization');
  const seen = {
    kind,
    authorization,
    key: firstOf(call.metadata, 'x-key'),
    deadline: call.getDeadline() !== Number.POSITIVE_INFINITY,
    ended: false,
  };
  calls.push(seen);
  call.on('cancelled', () => {
    seen.ended = true; // whether it was answered or not
  });
  const reflected = new Metadata();
  reflected.set('x-echo', authorization);
  reflected.set('x-echo-bin', Buffer.from(`a${authorization}`));
  call.sendMetadata(reflected);
  return reflected;
}

const withAuthorization = (call: Call, text: string): Buffer =>
  Buffer.from(`${text} ${firstOf(call.metadata, 'authorization')}`);

const handlers = {
  unary(call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>): void {
    const reflected = begin('unary', call);
    const text = call.request.toString();
    if (text === 'hang') return;
    if (text === 'fail') {
      reflected.set('grpc-status-details-bin', Buffer.from(`\x08\x05${KEY}`));
      answer({ code: status.NOT_FOUND, details: `nothing for ${KEY} \u00e9`, metadata: reflected });
    } else {
      answer(null, withAuthorization(call, text), reflected);
    }
  },
  list(call: ServerWritableStream<Buffer, Buffer>): void {
    const reflected = begin('list', call);
    const [count, bytes] = call.request.toString().split(' ').map(Number);
    written = 0;
    const next = (): void => {
      while (written < (count ?? 0)) {
        written += 1;
        const text = `${written} `.padEnd(bytes ?? 0, 'x');
        if (!call.write(withAuthorization(call, text))) {
          call.once('drain', next);
          return;
        }
      }
      call.end(reflected);
    };
    next();
  },
  gather(call: ServerReadableStream<Buffer, Buffer>, answer: sendUnaryData<Buffer>): void {
    const reflected = begin('gather', call);
    const texts: string[] = [];
    call.on('data', (bytes: Buffer) => {
      texts.push(bytes.toString());
      if (texts.at(-1) === 'enough') answer(null, Buffer.from(texts.join()), reflected);
    });
    call.on('end', () => answer(null, Buffer.from(texts.join()), reflected));
  },
  chat(call: ServerDuplexStream<Buffer, Buffer>): void {
    const reflected = begin('chat', call);
    call.on('data', (bytes: Buffer) => call.write(withAuthorization(call, bytes.toString())));
    call.on('end', () => call.end(reflected));
    call.on('error', () => undefined);
  },
};

beforeAll(async () => {
  server = new Server();
  server.addService(SERVICE, handlers);
  const { key, cert } = identityOf(API);
  const credentials = ServerCredentials.createSsl(null, [
    { private_key: Buffer.from(key), cert_chain: Buffer.from(cert) },
  ]);
  const api = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', credentials, (error, port) =>
      error === null ? resolve(port) : reject(error),
    ),
  );
  /* Compresses its messages one by one, though it was asked not to. */
  hostile = createSecureServer(identityOf(HOSTILE));
  hostile.on('stream', (stream) => {
    stream.on('error', () => undefined);
    stream.respond(
      { ':status': 200, 'content-type': 'application/grpc', 'grpc-encoding': 'gzip' },
      { waitForTrailers: true },
    );
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(Buffer.of(0, 0, 0, 0, 1, 65));
  });
  hostile.listen(0, '127.0.0.1');
  await once(hostile, 'listening');
  world = await openHttp2Cell({
    ports: { api, hostile: (hostile.address() as AddressInfo).port },
    library: '@grpc/grpc-js',
  });
});
afterAll(async () => {
  await world.close();
  server.forceShutdown();
  hostile.close();
});

/* ---- the client ---- */

interface Asked {
  readonly kind: keyof typeof SERVICE;
  readonly host?: string;
  readonly messages: readonly string[];
  /** Values; `@` in them stands for the placeholder. */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly deadlineMs?: number;
  /** Cancels after so many messages. */
  readonly cancelAfter?: number;
  /** Sends each message after the answer to the one before, in place of all at once. */
  readonly inTurn?: boolean;
  /** Never says that it has sent everything. */
  readonly staysOpen?: boolean;
  readonly compressed?: boolean;
}

interface Said {
  readonly messages: readonly string[];
  readonly code: number;
  readonly details: string;
  /** Before the messages, and after them: values as Latin-1. */
  readonly first: Readonly<Record<string, string>>;
  readonly last: Readonly<Record<string, string>>;
  readonly placeholder: string;
}

/** Runs in the cell: one call, with everything that came back. */
function grpcCall(asked: Asked & { readonly host: string }, require: CellRequire): Promise<Said> {
  const grpc = require('@grpc/grpc-js');
  const placeholder = process.env['API_KEY'] ?? '';
  const raw = (bytes: Buffer): Buffer => bytes;
  const client = new grpc.Client(`${asked.host}:443`, grpc.credentials.createSsl(), {
    'grpc.default_compression_algorithm':
      grpc.compressionAlgorithms[asked.compressed === true ? 'gzip' : 'identity'],
  });
  const metadata = new grpc.Metadata();
  for (const [name, value] of Object.entries(asked.metadata ?? {}))
    metadata.set(name, value.replace('@', placeholder));
  const options = asked.deadlineMs === undefined ? {} : { deadline: Date.now() + asked.deadlineMs };
  const textsOf = (received: typeof metadata): Record<string, string> =>
    Object.fromEntries(
      Object.keys(received.getMap()).map((name) => [
        name,
        received
          .get(name)
          .map((value) => value.toString('latin1' as never))
          .join(),
      ]),
    );
  const outgoing = asked.messages.map((text) => Buffer.from(text.replace('@', placeholder)));
  return new Promise<Said>((resolve) => {
    const messages: string[] = [];
    let first: Record<string, string> = {};
    const onStatus = ({
      code,
      details,
      metadata: last,
    }: {
      code: number;
      details: string;
      metadata: typeof metadata;
    }) => {
      resolve({ messages, code, details, first, last: textsOf(last), placeholder });
      client.close();
    };
    const onMessage = (bytes: Buffer): void => {
      messages.push(bytes.toString('latin1'));
      if (messages.length === asked.cancelAfter) call.cancel();
    };
    const onAnswer = (_error: unknown, bytes?: Buffer): void => {
      if (bytes !== undefined) onMessage(bytes);
    };
    const one = outgoing[0] ?? Buffer.alloc(0);
    const path = `/test.Echo/${asked.kind.charAt(0).toUpperCase()}${asked.kind.slice(1)}`;
    const start = () => {
      if (asked.kind === 'unary')
        return client.makeUnaryRequest(path, raw, raw, one, metadata, options, onAnswer);
      if (asked.kind === 'list')
        return client.makeServerStreamRequest(path, raw, raw, one, metadata, options).on('data', onMessage);
      const sending =
        asked.kind === 'gather'
          ? client.makeClientStreamRequest(path, raw, raw, metadata, options, onAnswer)
          : client.makeBidiStreamRequest(path, raw, raw, metadata, options).on('data', onMessage);
      if (asked.inTurn === true) {
        let sent = 0;
        const next = (): void => {
          const message = outgoing[sent];
          sent += 1;
          if (message === undefined) sending.end();
          else sending.write(message);
        };
        sending.on('data', next);
        next();
      } else {
        for (const message of outgoing) sending.write(message);
        if (asked.staysOpen !== true) sending.end();
      }
      return sending;
    };
    const call = start();
    call.on('metadata', (received: typeof metadata) => {
      first = textsOf(received);
    });
    call.on('error', () => undefined);
    call.on('status', onStatus);
  });
}

const AUTH = { authorization: 'Bearer @' };
const ask = (asked: Asked): Promise<Said> => world.inCell(grpcCall, { host: API, metadata: AUTH, ...asked });

/** No form of the key is in it. */
function expectClean(said: Said): void {
  const all = JSON.stringify(said);
  expect(all).not.toContain(KEY);
  for (const shift of [0, 1, 2]) {
    const base64 = Buffer.from(`${'a'.repeat(shift)}${KEY}`).toString('base64');
    expect(all).not.toContain(base64.slice(4, 40));
  }
}

describe('gRPC out of a cell', () => {
  it('one message each way: the key goes in metadata, and comes back in none of it', async () => {
    calls = [];
    const said = await ask({ kind: 'unary', messages: ['hello'], metadata: { ...AUTH, 'x-key': '@' } });
    expect(calls).toMatchObject([
      { kind: 'unary', authorization: `Bearer ${KEY}`, key: KEY, deadline: false },
    ]);
    const bearer = `Bearer ${said.placeholder}`;
    expect(said).toMatchObject({ code: status.OK, messages: [`hello ${bearer}`] });
    for (const received of [said.first, said.last]) {
      expect(received['x-echo']).toBe(bearer);
      /* As base64, whose last character has to say more than the key alone. */
      expect(received['x-echo-bin']).toContain(`a${bearer.slice(0, -1)}`);
    }
    expectClean(said);
    await world.event(({ type, data }) => type === 'egress.masked' && data['path'] === '/test.Echo/Unary');
  });

  it('an error: its code, what it says, and its details come through without the key', async () => {
    const said = await ask({ kind: 'unary', messages: ['fail'] });
    expect(said.code).toBe(status.NOT_FOUND);
    expect(said.details).toBe(`nothing for ${said.placeholder} \u00e9`);
    expect(said.last['grpc-status-details-bin']).toContain(`\x08\x05${said.placeholder.slice(0, -1)}`);
    expectClean(said);
  });

  it('a stream of answers, more than any window holds', async () => {
    const said = await ask({ kind: 'list', messages: ['40 100000'] });
    expect(said.code).toBe(status.OK);
    expect(said.messages.map((text) => Number.parseInt(text, 10))).toEqual(
      Array.from({ length: 40 }, (_, index) => index + 1),
    );
    for (const text of said.messages)
      expect(text.length).toBe(100_000 + ` Bearer ${said.placeholder}`.length);
    expectClean(said);
  });

  it('a stream of messages', async () => {
    const messages = Array.from({ length: 40 }, (_, index) => `${index}`.padEnd(50_000, '-'));
    const said = await ask({ kind: 'gather', messages });
    expect(said).toMatchObject({ code: status.OK, messages: [messages.join()] });
  });

  it('an answer before the client has sent everything', async () => {
    const said = await ask({ kind: 'gather', messages: ['1', 'enough'], staysOpen: true });
    expect(said).toMatchObject({ code: status.OK, messages: ['1,enough'] });
  });

  it('both ways at a time: each message is answered before the next is sent', async () => {
    const said = await ask({ kind: 'chat', messages: ['a', 'b', 'c'], inTurn: true });
    const bearer = `Bearer ${said.placeholder}`;
    expect(said).toMatchObject({
      code: status.OK,
      messages: [`a ${bearer}`, `b ${bearer}`, `c ${bearer}`],
      last: { 'x-echo': bearer },
    });
    expectClean(said);
  });

  it('a deadline: it is told to the server, and ends the call on both sides', async () => {
    calls = [];
    // On a busy machine the shorter ones are over before the server has heard of the call.
    for (const deadlineMs of [300, 1_500, 8_000]) {
      const said = await ask({ kind: 'unary', messages: ['hang'], deadlineMs });
      expect(said.code).toBe(status.DEADLINE_EXCEEDED);
      if (calls.length > 0) break;
    }
    await waitFor(() => calls[0]?.ended);
    expect(calls[0]?.deadline).toBe(true);
  });

  it('cancelling: the server is told, and the connection serves the next call', async () => {
    calls = [];
    const said = await ask({ kind: 'list', messages: ['1000000 1000'], cancelAfter: 2 });
    expect(said.code).toBe(status.CANCELLED);
    await waitFor(() => calls[0]?.ended);
    expect(written).toBeLessThan(1_000_000);
    expect((await ask({ kind: 'unary', messages: ['x'] })).code).toBe(status.OK);
  });

  it('a placeholder in a message, or in metadata that it is not meant for: nothing arrives', async () => {
    calls = [];
    const inMessage = await ask({ kind: 'unary', messages: ['text: @'] });
    expect(inMessage.code).toBe(status.PERMISSION_DENIED);
    expect(inMessage.details).toMatch(/^egress_placeholder_misplaced: .*API_KEY/);
    /* The server answers the first message before the second is seen, or not: then the call breaks off. */
    const inSecond = await ask({ kind: 'gather', messages: ['to: me', 'text: @'] });
    expect([status.PERMISSION_DENIED, status.INTERNAL]).toContain(inSecond.code);
    const inMetadata = await ask({ kind: 'unary', messages: ['x'], metadata: { 'x-other': '@' } });
    expect(inMetadata.code).toBe(status.PERMISSION_DENIED);
    const elsewhere = await ask({ kind: 'unary', host: HOSTILE, messages: ['x'] });
    expect(elsewhere.code).toBe(status.PERMISSION_DENIED);
    expect(calls.filter(({ kind }) => kind === 'unary')).toEqual([]);
    await world.event(
      ({ type, data }) =>
        type === 'credential.refused' &&
        data['code'] === 'egress_placeholder_misplaced' &&
        data['path'] === '/test.Echo/Gather',
    );
    await world.event(({ type, data }) => type === 'credential.refused' && data['host'] === HOSTILE);
  });

  it('messages that the client compresses arrive; answers that are compressed one by one do not', async () => {
    const said = await ask({ kind: 'unary', messages: ['z'.repeat(10_000)], compressed: true });
    expect(said).toMatchObject({ code: status.OK });
    expect(said.messages[0]).toContain('z'.repeat(10_000));
    const refused = await ask({ kind: 'unary', host: HOSTILE, messages: ['x'], metadata: {} });
    expect(refused.code).toBe(status.UNAVAILABLE);
    expect(refused.details).toMatch(/^egress_content_coding: /);
    expect(refused.messages).toEqual([]);
    await world.event(
      ({ data }) => data['code'] === 'egress_content_coding' && data['reason'] === 'grpc-encoding',
    );
  });

  it('leaves no key in the record', async () => {
    expect(await world.exported()).not.toContain(KEY);
  });
});
