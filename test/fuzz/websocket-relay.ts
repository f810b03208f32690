/**
 * The WebSocket relay as a whole, on frames of a grammar with keys and placeholders in them, valid ones and others, cut
 * into packets anywhere: what comes out on the other side is what a plain model says, whole messages with keys masked
 * or filled in and nothing else; and a connection ends once, for the reason that the model gives.
 */
import { NO_RULES } from '../../src/policy/index.ts';
import { CellOverhead } from '../../src/egress/cell-overhead.ts';
import { Correlation } from '../../src/egress/correlation.ts';
import { Refusal, refusalCode } from '../../src/egress/refusals.ts';
import { createScrubSet } from '../../src/egress/scrub/index.ts';
import { WebSocketRelay } from '../../src/egress/websocket/relay.ts';
import { limits, fixedClock, Secret, systemRandom } from '../../src/kernel/index.ts';
import { encodeFrameHead, masked, OPCODE, type Opcode } from '../../src/wire/websocket/index.ts';
import { FOREIGN, given } from '../egress/inject/bound-request.ts';
import { bearer, cellCalls, PLACEHOLDER, TOKEN } from '../egress/world.ts';
import { transcribeFrames } from '../wire/websocket-transcript.ts';
import { type Below, pick, seeded, split } from './random.ts';
import type { FuzzTarget } from './target.ts';
import { frameBytes } from './websocket.ts';
import { readWhole } from './websocket-oracle.ts';

export type Side = 'client' | 'server';

/** What a frame may have at most: more than the grammar gives. */
const PAYLOAD_BYTES_MAX = 100 * 1024 * 1024;
const AUTH = `AUTH ${PLACEHOLDER}`;
const JSON_LOGIN = `{"k":"${PLACEHOLDER}"}`;

/* ---- what is sent ---- */

const ORDINARY = [
  '',
  'a',
  'hello',
  'caf\u00e9',
  '{"a":[1,"b"]}',
  'ghp_',
  TOKEN.slice(0, 9),
  PLACEHOLDER.slice(0, 9),
];

function contentOf(below: Below, from: Side): string {
  if (below(3) === 0) return pick(below, ORDINARY);
  if (below(400) === 0) return 'x'.repeat(65_000 + below(1_500));
  if (from === 'server') {
    const at = below(TOKEN.length + 1);
    return pick(below, [
      TOKEN,
      ` ${TOKEN}, ${TOKEN}`,
      TOKEN.slice(0, at),
      TOKEN.slice(at),
      TOKEN.slice(Math.min(at, 20), 20),
      TOKEN.slice(20),
      `${TOKEN.slice(at)} and ${TOKEN.slice(0, at)}`,
      `${TOKEN}${TOKEN.slice(0, at)}`,
    ]);
  }
  if (below(3) > 0) return pick(below, ['hello', AUTH, JSON_LOGIN]);
  return pick(below, [PLACEHOLDER, FOREIGN, `AUTH  ${PLACEHOLDER}`, `{"x":"${PLACEHOLDER}"}`]);
}

function frame(below: Below, from: Side, fin: boolean, opcode: Opcode, payload: Buffer): Buffer {
  const maskingKey = from === 'client' ? Buffer.from(Array.from({ length: 4 }, () => below(256))) : null;
  const head = encodeFrameHead({ fin, opcode, length: payload.length, maskingKey });
  return Buffer.concat([head, maskingKey === null ? payload : masked(payload, maskingKey, 0)]);
}

function control(below: Below, from: Side): Buffer {
  const isPing = below(2) === 0;
  const payload = Buffer.from(contentOf(below, from)).subarray(0, 120);
  return frame(below, from, true, isPing ? OPCODE.ping : OPCODE.pong, payload);
}

function close(below: Below, from: Side): Buffer {
  const reason = Buffer.from(pick(below, ['', 'bye', TOKEN, PLACEHOLDER]));
  return frame(below, from, true, OPCODE.close, Buffer.concat([Buffer.of(3, 232), reason]));
}

/** One message, in up to four frames with others between them. */
function message(below: Below, from: Side): Buffer {
  const pieces: Buffer[] = [];
  const kind = below(3) > 0 ? OPCODE.text : OPCODE.binary;
  let content = Buffer.from(contentOf(below, from));
  for (let left = 1 + below(4); left > 0; left -= 1) {
    const end = left === 1 ? content.length : below(content.length + 1);
    const opcode = pieces.length === 0 ? kind : OPCODE.continuation;
    pieces.push(frame(below, from, left === 1, opcode, content.subarray(0, end)));
    content = content.subarray(end);
    if (below(6) === 0) pieces.push(control(below, from));
  }
  return Buffer.concat(pieces);
}

/** Messages and control frames as they should be, with keys and placeholders where they may and may not stand. */
export function messagesOf(below: Below, from: Side): Buffer {
  return Buffer.concat(Array.from({ length: 1 + below(6) }, () => message(below, from)));
}

/** The same, or with something wrong in it, or cut off. */
export function bytesOf(below: Below, from: Side): Buffer {
  const pieces = [messagesOf(below, from)];
  if (below(4) === 0) pieces.push(close(below, from));
  if (below(3) === 0) {
    const other = frameBytes(below); // valid or not, and perhaps of the wrong side
    pieces.push(other.bytes);
  }
  const bytes = Buffer.concat(pieces);
  if (below(3) === 0) bytes[below(bytes.length)] = below(256);
  return below(5) === 0 ? bytes.subarray(0, below(bytes.length + 1)) : bytes;
}

/* ---- what should come out ---- */

interface Frame {
  readonly opcode: number;
  readonly fin: boolean;
  readonly kind: string;
  readonly payload: Buffer;
}

const frameOf = (line: string): Frame => {
  const [opcode, fin, kind = '', payload = ''] = line.split(' ');
  return { opcode: Number(opcode), fin: fin === 'fin', kind, payload: Buffer.from(payload, 'hex') };
};

/** Frames as they matter to whoever reads them: messages whole, and control frames; in their order. */
export interface Received {
  /** `kind payload` or `opcode payload`, as Latin-1. */
  readonly items: readonly string[];
  /** Of a message that has not ended, as Latin-1. */
  readonly begun: { readonly kind: string; readonly text: string };
}

function receivedOf(frames: readonly Frame[]): Received {
  const items: string[] = [];
  let begun = { kind: '', text: '' };
  for (const { opcode, fin, kind, payload } of frames) {
    const text = payload.toString('latin1');
    if (opcode >= OPCODE.close) {
      items.push(`${opcode} ${text}`);
      continue;
    }
    begun = { kind, text: begun.text + text };
    if (!fin) continue;
    items.push(`${kind} ${begun.text}`);
    begun = { kind: '', text: '' };
  }
  return { items, begun };
}

export interface Expected extends Received {
  /** Codes, or reasons of those that have one, with which the connection may be ended. */
  readonly ends: readonly string[];
  /** Whether it has to be. */
  readonly isEnded: boolean;
}

/** Of messages of one kind, one behind the other, where each key ends is where it is masked. */
function maskedTexts(texts: readonly string[]): string[] {
  const all = texts.join('');
  const starts: number[] = [];
  let length = 0;
  for (const text of texts) {
    starts.push(length);
    length += text.length;
  }
  const shown = texts.map((text) => text.split(''));
  for (let at = all.indexOf(TOKEN); at >= 0; at = all.indexOf(TOKEN, at + TOKEN.length)) {
    const last = at + TOKEN.length - 1;
    const which = starts.findLastIndex((start, index) => start <= last && (texts[index]?.length ?? 0) > 0);
    const start = starts[which] ?? 0;
    const characters = shown[which] ?? [];
    for (let place = Math.max(at, start); place <= last; place += 1) characters[place - start] = '';
    characters[last - start] = PLACEHOLDER;
  }
  return shown.map((characters) => characters.join(''));
}

export function expectedDown(bytes: Buffer): Expected {
  const { frames, error, isClosed } = readWhole('server', bytes, PAYLOAD_BYTES_MAX);
  const { items, begun } = receivedOf(frames.map(frameOf));
  const shown = new Map<string, string[]>();
  for (const kind of ['text', 'binary']) {
    const texts = items
      .filter((item) => item.startsWith(`${kind} `))
      .map((item) => item.slice(kind.length + 1));
    if (begun.kind === kind) texts.push(begun.text);
    shown.set(kind, maskedTexts(texts));
  }
  const passed = items.flatMap((item) => {
    const [word = ''] = item.split(' ', 1);
    const texts = shown.get(word);
    if (texts !== undefined) return [`${word} ${texts.shift() ?? ''}`];
    if (!item.includes(TOKEN)) return [item];
    return Number(word) === OPCODE.close ? [item.slice(0, word.length + 3)] : [];
  });
  const text = shown.get(begun.kind)?.shift() ?? '';
  const ends = error === null || isClosed ? [] : [error];
  return { items: passed, begun: { kind: begun.kind, text }, ends, isEnded: ends.length > 0 };
}

const placeholderIn = (text: string): string | null =>
  text.includes(PLACEHOLDER)
    ? 'egress_placeholder_misplaced'
    : text.includes(FOREIGN)
      ? 'egress_placeholder_foreign'
      : null;

/** What becomes of a text in which places are declared; null where it may not be sent. */
function filled(text: string): string | null {
  if (text === AUTH || text === JSON_LOGIN) return text.replace(PLACEHOLDER, TOKEN);
  return placeholderIn(text) === null ? text : null;
}

export function expectedUp(bytes: Buffer): Expected {
  const { frames, error, isClosed } = readWhole('client', bytes, PAYLOAD_BYTES_MAX);
  const items: string[] = [];
  let begun = { kind: '', text: '' };
  const refused = (text: string): Expected => ({
    items,
    begun,
    ends: [placeholderIn(text) ?? 'none'],
    isEnded: true,
  });
  for (const { opcode, fin, kind, payload } of frames.map(frameOf)) {
    const text = payload.toString('latin1');
    if (opcode >= OPCODE.close) {
      if (placeholderIn(text) !== null) return refused(text);
      items.push(`${opcode} ${text}`);
      continue;
    }
    const sofar = begun.text + text;
    if (kind === 'binary' && placeholderIn(sofar) !== null) return refused(sofar);
    begun = { kind, text: sofar };
    if (!fin) continue;
    const sent = kind === 'text' ? filled(sofar) : sofar;
    if (sent === null) {
      begun = { kind: '', text: '' };
      return refused(sofar);
    }
    items.push(`${kind} ${sent}`);
    begun = { kind: '', text: '' };
  }
  /* A frame that is not whole is not in the transcript, and may hold a placeholder all the same. */
  const late = ['egress_placeholder_misplaced', 'egress_placeholder_foreign'];
  const ends = error === null || isClosed ? [] : [error];
  const mayHold = begun.kind !== 'text' && !isClosed;
  return { items, begun, ends: mayHold ? [...ends, ...late] : ends, isEnded: ends.length > 0 };
}

/* ---- what comes out ---- */

/** Declares the places that the model knows. */
export const LOGINS = [
  bearer({ inject: [{ websocket: 'text', format: 'AUTH {token}' }, { websocket: '/k' }] }),
];
const SET = createScrubSet([{ name: 'TOKEN', mask: PLACEHOLDER, value: Secret.fromString(TOKEN) }]);

/** Whole frames in what came out. */
function framesIn(from: Side, pieces: readonly Buffer[]): Frame[] {
  const read = transcribeFrames(from, pieces, PAYLOAD_BYTES_MAX);
  if (read.error !== null) throw new Error(`what came out is no WebSocket: ${read.error}`);
  return read.frames.map(frameOf);
}

/** What came out, as the model says it. */
export const itemsIn = (from: Side, pieces: readonly Buffer[]): readonly string[] =>
  receivedOf(framesIn(from, pieces)).items;

interface Seen extends Received {
  readonly end: string | null;
}

async function relayed(from: Side, packets: readonly Buffer[]): Promise<Seen> {
  const { binder, request } = given(LOGINS);
  const out: Record<Side, Buffer[]> = { client: [], server: [] };
  const ended: unknown[] = [];
  const clock = fixedClock(0);
  const nothing = (): void => undefined;
  const relay: WebSocketRelay = new WebSocketRelay(
    {
      client: { data: (data) => out.server.push(data) > 0, resumeInput: nothing },
      upstream: {
        lastActive: 0,
        write: (data) => out.client.push(data) > 0,
        end: nothing,
        pause: nothing,
        resume: nothing,
        destroy: nothing,
      },
      request,
    },
    {
      ...binder,
      clock,
      random: systemRandom,
      rules: { current: () => NO_RULES },
      bodies: { bytes: 0, bytesMax: limits.cellBodyBytesMax },
      isSet: () => true,
      overhead: new CellOverhead(clock),
      correlation: new Correlation({ callsIn: () => cellCalls([]) }, binder.spec.identity.cell, clock),
    },
    {
      scrubSet: SET,
      onHit: nothing,
      open: async () => Secret.fromString(TOKEN),
      onBroken(reason) {
        ended.push(reason);
        relay.stop();
        relay.refuse(reason);
      },
      onRelayEnd: nothing,
    },
  );
  for (const packet of packets) {
    if (ended.length > 0) break;
    if (from === 'server') relay.received(packet);
    else relay.sink?.onBody(packet);
    while (relay.sink === null && ended.length === 0) await Promise.resolve();
  }
  if (ended.length > 1) throw new Error(`it ended ${ended.length} times`);
  const [reason] = ended;
  if (reason !== undefined && !(reason instanceof Refusal)) throw reason;
  const frames = framesIn(from, out[from]);
  /* What it says itself when it ends something is looked at here, and no message of the sender. */
  if (reason !== undefined && frames.pop()?.opcode !== OPCODE.close)
    throw new Error('it ended without a Close');
  return {
    ...receivedOf(frames),
    end: reason === undefined ? null : (reason.facts.reason ?? refusalCode(reason)),
  };
}

/** @returns what is wrong, null when nothing is */
function difference(seen: Seen, expected: Expected): string | null {
  const shown = (value: unknown): string => JSON.stringify(value).slice(0, 2_000);
  if (seen.end === null ? expected.isEnded : !expected.ends.includes(seen.end))
    return `it ended with ${seen.end}, and not with ${shown(expected.ends)}`;
  if (shown(seen.items) !== shown(expected.items))
    return `what came out: ${shown(seen.items)}\nwhat should have: ${shown(expected.items)}`;
  const [text, model] = [seen.begun.text, expected.begun.text];
  return model.startsWith(text) || text.startsWith(model)
    ? null
    : `what was begun: ${shown(text)}\nwhat should have been: ${shown(model)}`;
}

export interface RelayTally {
  /** Messages and control frames that came out. */
  items: number;
  /** Keys that were masked or filled in. */
  keys: number;
  /** Connections that were ended, by reason. */
  readonly ended: Map<string, number>;
}

/** @throws Error with the seed's input in hex, at the first difference */
export async function compareRelay(seed: number, count: number): Promise<RelayTally> {
  const below = seeded(seed);
  const tally: RelayTally = { items: 0, keys: 0, ended: new Map() };
  for (let round = 0; round < count; round += 1) {
    const from: Side = below(2) === 0 ? 'client' : 'server';
    const bytes = bytesOf(below, from);
    const expected = from === 'client' ? expectedUp(bytes) : expectedDown(bytes);
    for (const packets of [[bytes], split(below, bytes, 1 + below(60))]) {
      const seen = await relayed(from, packets);
      const wrong = difference(seen, expected) ?? (from === 'server' ? keyIn(seen) : null);
      if (wrong !== null)
        throw new Error(
          `input ${round} of seed ${seed}, from the ${from}: ${bytes.toString('hex')}\n${wrong}`,
        );
      tally.items += seen.items.length;
      const sign = from === 'client' ? TOKEN : PLACEHOLDER;
      tally.keys += seen.items.filter((item) => item.includes(sign)).length;
      if (seen.end !== null) tally.ended.set(seen.end, (tally.ended.get(seen.end) ?? 0) + 1);
    }
  }
  return tally;
}

/** The model could be wrong in the same way: no key is in what a program reads, nor in messages of a kind put together. */
function keyIn({ items, begun }: Seen): string | null {
  const all = [...items, `${begun.kind} ${begun.text}`];
  const joined = ['text', 'binary'].map((kind) =>
    all.flatMap((item) => (item.startsWith(`${kind} `) ? [item.slice(kind.length + 1)] : [])).join(''),
  );
  return [...all, ...joined].some((text) => text.includes(TOKEN)) ? 'a key came through' : null;
}

export const websocketRelay: FuzzTarget = {
  name: 'websocket-relay',
  async run(seed, count, report) {
    const { items, keys, ended } = await compareRelay(seed, count);
    report(
      `${items} messages and control frames passed as they should, ${keys} with a key masked or filled in`,
    );
    for (const reason of [...ended.keys()].toSorted())
      report(`  ended as it should: ${reason} ${ended.get(reason)}`);
  },
};
