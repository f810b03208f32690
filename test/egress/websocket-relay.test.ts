/**
 * The relay without sockets: whatever messages are sent, in whatever frames, cut into packets anywhere, come out as
 * they went in, on both ways at once; and a key in one of them never does.
 */
import { NO_RULES } from '../../src/policy/index.ts';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CellOverhead } from '../../src/egress/cell-overhead.ts';
import { Correlation } from '../../src/egress/correlation.ts';
import { PlaceholderIndex } from '../../src/egress/inject/placeholder-index.ts';
import type { CredentialBinding } from '../../src/egress/index.ts';
import { createScrubSet, type ScrubHit, type ScrubSet } from '../../src/egress/scrub/index.ts';
import { refusalCode } from '../../src/egress/refusals.ts';
import { WebSocketRelay } from '../../src/egress/websocket/relay.ts';
import { fixedClock, limits, Secret, systemRandom } from '../../src/kernel/index.ts';
import { encodeFrameHead, type FrameHead, FrameReader, masked, OPCODE } from '../../src/wire/index.ts';
import { given } from './inject/bound-request.ts';
import { bearer, cellCalls, PLACEHOLDER, TOKEN } from './world.ts';

interface Message {
  readonly kind: 'text' | 'binary';
  readonly data: Buffer;
  /** Where it is cut into frames. */
  readonly cuts: readonly number[];
}

const MASK = Buffer.of(9, 8, 7, 6);
const SET = createScrubSet([{ name: 'TOKEN', mask: PLACEHOLDER, value: Secret.fromString(TOKEN) }]);

const frames = ({ kind, data, cuts }: Message, mask: Buffer | null): Buffer => {
  const edges = [0, ...cuts.map((cut) => cut % (data.length + 1)).sort((a, b) => a - b), data.length];
  const pieces = edges.slice(1).map((end, index) => data.subarray(edges[index], end));
  return Buffer.concat(
    pieces.flatMap((piece, index) => {
      const opcode = index === 0 ? OPCODE[kind] : OPCODE.continuation;
      const fin = index === pieces.length - 1;
      return [
        encodeFrameHead({ fin, opcode, length: piece.length, maskingKey: mask }),
        mask === null ? piece : masked(piece, mask, 0),
      ];
    }),
  );
};

/** Messages as they come out at one end, and the lengths of the frames that they came in. */
class End {
  readonly messages: { kind: string; data: Buffer }[] = [];
  readonly lengths: number[] = [];
  readonly #reader: FrameReader;
  #pieces: Buffer[] = [];
  #head: FrameHead | null = null;

  constructor(from: 'client' | 'server') {
    this.#reader = new FrameReader({ from, payloadBytesMax: limits.webSocketFrameBytesMax });
  }

  write(bytes: Buffer): boolean {
    this.#reader.read(bytes, 0, this);
    if (this.#reader.error !== null) throw new Error(this.#reader.error);
    return true;
  }

  onFrame(head: FrameHead): void {
    this.#head = head;
    this.lengths.push(head.length);
  }

  onPayload(data: Buffer, isLast: boolean): void {
    this.#pieces.push(Buffer.from(data));
    if (!isLast || this.#head?.fin !== true) return;
    this.messages.push({ kind: this.#head.message ?? 'control', data: Buffer.concat(this.#pieces) });
    this.#pieces = [];
  }
}

function relay(
  placeholders?: PlaceholderIndex,
  scrubSet: () => ScrubSet = () => SET,
  credentials: readonly CredentialBinding[] = [bearer()],
) {
  const { binder, request } = given(credentials);
  const bodies = { bytes: 0, bytesMax: limits.cellBodyBytesMax };
  /** Whether the upstream has room. */
  const room = { isThere: true };
  const [client, upstream] = [new End('server'), new End('client')];
  const broken: unknown[] = [];
  const hits: ScrubHit[] = [];
  const clock = fixedClock(0);
  const nothing = (): void => undefined;
  const relayed = new WebSocketRelay(
    {
      client: { data: (data) => client.write(data), resumeInput: nothing },
      upstream: {
        lastActive: 0,
        write: (data) => upstream.write(data) && room.isThere,
        end: nothing,
        pause: nothing,
        resume: nothing,
        destroy: nothing,
      },
      request,
    },
    {
      ...binder,
      ...(placeholders === undefined ? {} : { placeholders }),
      clock,
      random: systemRandom,
      rules: { current: () => NO_RULES },
      bodies,
      isSet: () => true,
      overhead: new CellOverhead(clock),
      correlation: new Correlation({ callsIn: () => cellCalls([]) }, binder.spec.identity.cell, clock),
    },
    {
      get scrubSet() {
        return scrubSet();
      },
      onHit: (hit) => hits.push(hit),
      open: () => Promise.reject(new Error('nothing is declared')),
      onBroken: (reason) => broken.push(reason),
      onRelayEnd: nothing,
    },
  );
  return { bodies, client, room, upstream, broken, hits, relayed };
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
/** What is in use once what is not needed any more is gone. */
function heldBytes(): number {
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Hands bytes over in packets. */
function inPackets(bytes: Buffer, sizes: readonly number[], take: (packet: Buffer) => void): void {
  let at = 0;
  for (let turn = 0; at < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? 1;
    take(bytes.subarray(at, at + size));
    at += size;
  }
}

const text = fc.string({ unit: 'grapheme', maxLength: 300 }).map((value) => Buffer.from(value));
const binary = fc.uint8Array({ maxLength: 300 }).map((value) => Buffer.from(value));
const cuts = fc.array(fc.nat(), { maxLength: 5 });
const message = fc.oneof(
  fc.record({ kind: fc.constant('text' as const), data: text, cuts }),
  fc.record({ kind: fc.constant('binary' as const), data: binary, cuts }),
);
const messages = fc.array(message, { maxLength: 8 });
const sizes = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 6 });

const plain = (list: readonly Message[]): readonly { kind: string; data: Buffer }[] =>
  list.map(({ kind, data }) => ({ kind, data }));

describe('the relay', () => {
  it('passes every message as it is, both ways', () => {
    fc.assert(
      fc.property(messages, messages, sizes, (sent, received, packets) => {
        const { client, upstream, broken, relayed } = relay();
        const up = Buffer.concat(sent.map((each) => frames(each, MASK)));
        const down = Buffer.concat(received.map((each) => frames(each, null)));
        inPackets(up, packets, (packet) => relayed.sink?.onBody(packet));
        inPackets(down, packets, (packet) => relayed.received(packet));
        expect(broken).toEqual([]);
        expect(upstream.messages).toEqual(plain(sent));
        expect(client.messages).toEqual(plain(received));
        expect(relayed.ending).toMatchObject({ sent: sent.length, received: received.length });
      }),
      { numRuns: 300 },
    );
  });

  it('passes no key, wherever it is cut', () => {
    fc.assert(
      fc.property(text, text, cuts, sizes, (before, after, at, packets) => {
        const { client, hits, relayed } = relay();
        const data = Buffer.concat([before, Buffer.from(' '), Buffer.from(TOKEN), Buffer.from(' '), after]);
        inPackets(frames({ kind: 'text', data, cuts: at }, null), packets, (packet) =>
          relayed.received(packet),
        );
        const [only] = client.messages;
        expect(only?.data.toString()).toBe(`${before.toString()} ${PLACEHOLDER} ${after.toString()}`);
        expect(hits).toEqual([{ name: 'TOKEN', encoding: 'raw' }]);
      }),
      { numRuns: 300 },
    );
  });

  it('keeps frames of usual size whole, and cuts longer ones', () => {
    const { upstream, relayed } = relay();
    const size = limits.webSocketPieceBytes;
    const sent = [size - 1, size * 3 + 10].map(
      (length): Message => ({ kind: 'binary', data: Buffer.alloc(length, 1), cuts: [] }),
    );
    const bytes = Buffer.concat(sent.map((each) => frames(each, MASK)));
    inPackets(bytes, [10_000], (packet) => relayed.sink?.onBody(packet));
    expect(upstream.messages).toEqual(plain(sent));
    const [first, ...rest] = upstream.lengths;
    expect(first).toBe(size - 1);
    expect(rest.length).toBeGreaterThan(1);
    for (const length of rest) expect(length).toBeLessThan(size + 10_000);
  });

  it('keeps little for a frame that comes byte by byte, and has its bytes in their order', () => {
    const payload = Buffer.from(Array.from({ length: 60_000 }, (_, index) => index % 251));
    const whole: Message = { kind: 'binary', data: payload, cuts: [] };
    const [up, down] = [frames(whole, MASK), frames(whole, null)];
    const all = Array.from({ length: 5 }, () => relay());
    const before = heldBytes();
    for (const { relayed } of all) {
      inPackets(up.subarray(0, -1), [1], (byte) => relayed.sink?.onBody(Buffer.from(byte)));
      inPackets(down.subarray(0, -1), [1], (byte) => relayed.received(Buffer.from(byte)));
    }
    expect(heldBytes() - before).toBeLessThan(all.length * 2 * 10 * payload.length);
    for (const { client, upstream, relayed } of all) {
      relayed.sink?.onBody(up.subarray(-1));
      relayed.received(down.subarray(-1));
      expect([client.messages, upstream.messages]).toEqual([plain([whole]), plain([whole])]);
    }
  });

  it('counts a text in which a place is declared until the upstream has taken it', async () => {
    const declared = [bearer({ inject: [{ websocket: '/k' }] })];
    for (const length of [100, 3 * limits.bodySliceBytes]) {
      const { bodies, room, upstream, relayed } = relay(undefined, undefined, declared);
      const each: Message = { kind: 'text', data: Buffer.alloc(length, 'x'), cuts: [] };
      relayed.sink?.onBody(frames(each, MASK));
      while (relayed.sink === null) await new Promise((resolve) => setImmediate(resolve));
      expect([upstream.messages.length, bodies.bytes]).toEqual([1, 0]); // control
      room.isThere = false;
      relayed.sink.onBody(frames(each, MASK));
      while (upstream.messages.length < 2) await new Promise((resolve) => setImmediate(resolve));
      expect([relayed.sink, bodies.bytes]).toEqual([null, length]);
      relayed.upstreamDrained();
      expect([relayed.sink === null, bodies.bytes]).toEqual([false, 0]);
      relayed.sink?.onBody(frames(each, MASK));
      relayed.stop();
      expect(bodies.bytes).toBe(0);
    }
  });

  it.each([
    ['empty messages', 0, 8],
    ['messages of one byte', 1, 5],
    ['messages of two bytes', 2, 2],
  ])('ends at too many %s, from either side', (_name, length, each) => {
    const many = (count: number, mask: Buffer | null): Buffer => {
      const one = frames({ kind: 'binary', data: Buffer.alloc(length), cuts: [] }, mask);
      return Buffer.alloc(count * one.length, one);
    };
    const allowed = Math.floor(limits.cellOverheadBytes / each);
    for (const [mask, code] of [
      [MASK, 'egress_websocket_flood'],
      [null, 'egress_upstream_websocket'],
    ] as const) {
      const { client, upstream, broken, relayed } = relay();
      const take = (bytes: Buffer): void =>
        mask === null ? relayed.received(bytes) : relayed.sink?.onBody(bytes);
      take(many(allowed, mask));
      expect([broken, (mask === null ? client : upstream).messages.length]).toEqual([[], allowed]);
      take(many(1, mask));
      expect(broken.map((reason) => refusalCode(reason))).toEqual([code]);
    }
  });

  it('control: any number of messages with something in them', () => {
    const { broken, upstream, relayed } = relay();
    const one = frames({ kind: 'binary', data: Buffer.from('abc'), cuts: [] }, MASK);
    for (let left = 20; left > 0; left -= 1) relayed.sink?.onBody(Buffer.alloc(10_000 * one.length, one));
    expect([broken, upstream.messages.length]).toEqual([[], 200_000]);
  });

  it('ends where something of ours goes wrong, and takes nothing else along', () => {
    const fault = new Error('ours');
    const fail = (): never => {
      throw fault;
    };
    class Broken extends PlaceholderIndex {
      override get shortest(): number {
        return fail();
      }
    }
    const each: Message = { kind: 'text', data: Buffer.from('hello'), cuts: [] };
    const up = relay(new Broken());
    up.relayed.sink?.onBody(frames(each, MASK));
    expect([up.broken, up.upstream.messages]).toEqual([[fault], []]);
    const down = relay(undefined, fail);
    down.relayed.received(frames(each, null));
    expect([down.broken, down.client.messages]).toEqual([[fault], []]);
  });
});
