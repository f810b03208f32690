/** What is neither head nor body of HTTP/2: a little of it is free, the rest is measured by what is. */
import { describe, expect, it } from 'vitest';
import { CellOverhead } from '../../src/egress/cell-overhead.ts';
import { abuseOf } from '../../src/egress/http2/abuse.ts';
import { ConnectionOverhead } from '../../src/egress/http2/overhead.ts';
import { fixedClock, limits } from '../../src/kernel/index.ts';

const FREE = limits.http2OverheadBytes;
const SHARED = limits.cellOverheadBytes;

interface Connection {
  readonly overhead: ConnectionOverhead;
  /** Bytes come, and are not looked at. */
  read(bytes: number): void;
  /** Bytes come that are not accounted for, and are judged. */
  junk(bytes: number): void;
  /** Bytes of a body come. */
  useful(bytes: number): void;
  readonly ended: () => number;
}

function connect(cell: CellOverhead): Connection {
  let read = 0;
  let ended = 0;
  const overhead = new ConnectionOverhead(
    cell,
    () => read,
    () => {
      ended += 1;
    },
  );
  return {
    overhead,
    read(bytes) {
      read += bytes;
    },
    junk(bytes) {
      read += bytes;
      overhead.judge();
    },
    useful(bytes) {
      read += bytes;
      overhead.body(bytes);
      overhead.judge();
    },
    ended: () => ended,
  };
}

const cellOf = (clock = fixedClock(0)): CellOverhead => new CellOverhead(clock);

describe('what a connection sends besides heads and bodies', () => {
  it('is free up to its own share and that of the cell; one byte more ends it', () => {
    const connection = connect(cellOf());
    connection.junk(FREE + SHARED);
    expect(connection.ended()).toBe(0);
    connection.junk(1);
    expect(connection.ended()).toBe(1);
  });

  it('does not end a neighbour that keeps to its own share', () => {
    const cell = cellOf();
    const [hostile, modest] = [connect(cell), connect(cell)];
    hostile.junk(FREE + SHARED + 1);
    modest.junk(FREE);
    expect([hostile.ended(), modest.ended()]).toEqual([1, 0]);
  });

  it('is not counted anew for a connection that takes the place of one that was ended', () => {
    const cell = cellOf();
    connect(cell).junk(FREE + SHARED);
    const next = connect(cell);
    next.junk(FREE + 1);
    expect(next.ended()).toBe(1);
  });

  it('is forgiven with time, for the connection and for the cell', () => {
    const clock = fixedClock(0);
    const cell = cellOf(clock);
    const connection = connect(cell);
    connection.junk(FREE + SHARED);
    clock.advance(1_000);
    connection.junk(limits.http2OverheadBytesPerSecond + limits.cellOverheadBytesPerSecond);
    expect(connection.ended()).toBe(0);
    connection.junk(1);
    expect(connection.ended()).toBe(1);
  });

  it('may be as much again as heads and bodies are, but not saved up', () => {
    const connection = connect(cellOf());
    for (let round = 0; round < 100; round += 1) {
      connection.useful(SHARED);
      connection.overhead.body(30_000); // that was sent
      connection.junk(30_000);
    }
    expect(connection.ended()).toBe(0);
    for (let round = 0; round < 100; round += 1) connection.overhead.body(SHARED);
    connection.junk(0);
    connection.junk(limits.http2OverheadCreditBytesMax + FREE + SHARED);
    expect(connection.ended()).toBe(0);
    connection.junk(1);
    expect(connection.ended()).toBe(1);
  });

  it('is given back when it turns out to belong to a head or a body', () => {
    const cell = cellOf();
    const connection = connect(cell);
    for (let round = 0; round < 100; round += 1) {
      connection.junk(60_000); // the beginning of it
      connection.overhead.body(60_000);
      connection.junk(0);
    }
    expect(connection.ended()).toBe(0);
    const other = connect(cell);
    other.junk(FREE + SHARED);
    expect(other.ended()).toBe(0);
  });

  it('a header list counts as what it holds', () => {
    const connection = connect(cellOf());
    const raw = [':path', 'x'.repeat(1_000)];
    for (let round = 0; round < 3_000; round += 1) {
      connection.overhead.head(raw);
      connection.junk(1_020);
    }
    expect(connection.ended()).toBe(0);
  });

  it('is judged when all that was read in one turn has been seen', async () => {
    const connection = connect(cellOf());
    connection.read(FREE + SHARED + 1 + 10_000);
    connection.overhead.look();
    connection.overhead.body(10_000);
    expect(connection.ended()).toBe(0);
    await new Promise((resolve) => setImmediate(resolve));
    expect(connection.ended()).toBe(1);
    const other = connect(cellOf());
    other.read(FREE + SHARED + 10_000);
    other.overhead.look();
    other.overhead.body(10_000);
    await new Promise((resolve) => setImmediate(resolve));
    expect(other.ended()).toBe(0);
  });
});

describe('why a connection was given up', () => {
  const http2Error = (code: string, errno?: number): Error =>
    Object.assign(new Error('x'), { code, ...(errno === undefined ? {} : { errno }) });

  it.each([
    ['ERR_HTTP2_TOO_MANY_INVALID_FRAMES', -902, 'invalid_frames'],
    ['ERR_HTTP2_ERROR', -905, 'continuations'],
    ['ERR_HTTP2_ERROR', -904, 'unread'],
    ['ERR_HTTP2_ERROR', -902, 'streams_rejected'],
    ['ERR_HTTP2_ERROR', -524, 'flow_control'],
    ['ERR_HTTP2_ERROR', -522, 'protocol'],
    ['ERR_HTTP2_ERROR', -510, 'stream_closed'],
    ['ERR_HTTP2_ERROR', -505, 'protocol'],
    ['ERR_HTTP2_ERROR', undefined, 'protocol'],
    ['ERR_HTTP2_SESSION_ERROR', undefined, null],
    ['ECONNRESET', -104, null],
  ])('%s %s: %s', (code, errno, reason) => {
    expect(abuseOf(http2Error(code, errno))).toBe(reason);
  });

  it('is nobody’s fault where the error says nothing', () => {
    expect(abuseOf(new Error('x'))).toBe(null);
  });
});
