import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DialLine } from '../../../src/egress/upstream/dial-line.ts';
import { limits } from '../../../src/kernel/index.ts';

interface Named {
  readonly name: string;
}

const [A, B] = [{ name: 'a' }, { name: 'b' }];
const never = new AbortController().signal;
const late = (): Error => new Error('late');
let line: DialLine<Named, Named>;
let got: string[];

/** Enters, and puts down what came of it. */
function enter(borrower: Named, name: string, signal: AbortSignal = never): void {
  line.enter(borrower, signal, late).then(
    (connection) => got.push(`${name}:${connection?.name ?? 'dials'}`),
    (error: unknown) => got.push(`${name}:${String(error)}`),
  );
}

beforeEach(async () => {
  vi.useFakeTimers();
  line = new DialLine();
  got = [];
  for (let index = 0; index < limits.upstreamDialsMax; index += 1)
    expect(await line.enter(A, never, late)).toBe(null);
});
afterEach(() => {
  vi.useRealTimers();
});
const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);

describe('whoever wants a connection to a place', () => {
  it('waits while enough are being made, and makes one when another is done', async () => {
    enter(A, 'first');
    enter(A, 'second');
    await settle();
    expect([got, line.dialling]).toEqual([[], limits.upstreamDialsMax]);
    line.leave();
    await settle();
    expect([got, line.dialling]).toEqual([['first:dials'], limits.upstreamDialsMax]);
    line.leave();
    line.leave();
    await settle();
    expect([got, line.dialling]).toEqual([['first:dials', 'second:dials'], limits.upstreamDialsMax - 1]);
  });

  it('gets one that comes back, where that is earlier; nobody else does', async () => {
    expect(line.offer({ name: 'early' })).toBe(null);
    enter(B, 'first');
    expect(line.offer({ name: 'returned' })).toBe(B);
    expect(line.offer({ name: 'another' })).toBe(null);
    await settle();
    expect([got, line.dialling]).toEqual([['first:returned'], limits.upstreamDialsMax]);
  });

  it('takes turns with the other borrowers, however many one wants', async () => {
    for (const name of ['a1', 'a2', 'a3']) enter(A, name);
    enter(B, 'b1');
    for (let count = 0; count < 4; count += 1) line.leave();
    await settle();
    expect(got).toEqual(['a1:dials', 'b1:dials', 'a2:dials', 'a3:dials']);
  });

  it('loses its turn when it gives up, and nobody waits for it', async () => {
    const stop = new AbortController();
    enter(A, 'gone', stop.signal);
    enter(A, 'next');
    stop.abort(new Error('gave up'));
    line.leave();
    await settle();
    expect(got).toEqual(['gone:Error: gave up', 'next:dials']);
    enter(A, 'never there', stop.signal);
    await settle();
    expect(got.at(-1)).toBe('never there:Error: gave up');
    expect(line.offer({ name: 'returned' })).toBe(null);
  });

  it('waits for so long and no longer', async () => {
    enter(A, 'patient');
    await vi.advanceTimersByTimeAsync(limits.upstreamConnectTimeoutMs - 1);
    expect(got).toEqual([]);
    await vi.advanceTimersByTimeAsync(2);
    expect(got).toEqual(['patient:Error: late']);
    expect(line.offer({ name: 'returned' })).toBe(null);
  });

  it('gets what has come back in time where nobody could look until it was late', async () => {
    enter(A, 'patient');
    vi.advanceTimersByTime(limits.upstreamConnectTimeoutMs);
    expect(line.offer({ name: 'returned' })).toBe(A);
    await vi.advanceTimersByTimeAsync(2);
    expect(got).toEqual(['patient:returned']);
  });
});
