import { describe, expect, it } from 'vitest';
import { eachSlice } from '../../../src/egress/inject/body-slices.ts';
import { judgeBody } from '../../../src/egress/inject/request-body.ts';
import { limits } from '../../../src/kernel/index.ts';
import { given } from './bound-request.ts';
import { bearer, PLACEHOLDER } from '../world.ts';

const HMAC = {
  header: 'X-Sum',
  format: '{signature}',
  over: 'body',
  algorithm: 'sha256',
  encoding: 'hex',
} as const;
const MIB = 2 ** 20;

/** How often others had their turn while a body was judged, and what became of it. */
async function turnsOf(type: string, body: string): Promise<{ turns: number; gaps: number }> {
  const credentials = [bearer({ inject: [{ json: '/key' }, { form: 'key' }, { hmac: HMAC }] })];
  const headers = { 'Content-Type': type, 'X-Sum': 'x' };
  const { request, binder } = given(credentials, headers, '/', { kind: 'length', bytes: body.length });
  let turns = 0;
  let isOver = false;
  const count = (): void => {
    turns += 1;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  const pieces = await judgeBody(Buffer.from(body), request, binder);
  isOver = true;
  return { turns, gaps: (pieces ?? []).filter((piece) => !Buffer.isBuffer(piece)).length };
}

describe('a long body', () => {
  const filler = 'x'.repeat(4 * MIB);
  it.each([
    ['JSON', 'application/json', `{"key":"${PLACEHOLDER}","a":"${filler}"}`, 1],
    ['JSON of many values', 'application/json', `{"key":"${PLACEHOLDER}","a":[${'1,'.repeat(2 * MIB)}1]}`, 1],
    ['JSON without a key', 'application/json', `{"a":"${filler}"}`, 0],
    ['a form', 'application/x-www-form-urlencoded', `a=${filler}&key=${PLACEHOLDER}`, 1],
    ['of another type', 'text/plain', filler, 0],
  ])('is judged in turns: %s', async (_name, type, body, gaps) => {
    const found = await turnsOf(type, body);
    expect(found.gaps).toBe(gaps);
    expect(found.turns).toBeGreaterThanOrEqual(Math.ceil(body.length / limits.bodySliceBytes) - 1);
  });

  it('control: a short one is judged at once', async () => {
    expect((await turnsOf('application/json', `{"key":"${PLACEHOLDER}"}`)).turns).toBeLessThanOrEqual(1);
  });

  it('takes no more turns with others like it: one slice of one of them at a time', async () => {
    const body = Buffer.alloc(10 * limits.bodySliceBytes);
    let since = 0;
    let most = 0;
    let isOver = false;
    const look = (): void => {
      most = Math.max(most, since);
      since = 0;
      if (!isOver) setImmediate(look);
    };
    const ends: number[] = [];
    const judge = (index: number): Promise<void> =>
      eachSlice(body, { isOver: false }, (_slice, at) => {
        if (at > 0) since += 1; // the first is judged at once, as a short body is
        if (at + limits.bodySliceBytes >= body.length) ends.push(index);
        return null;
      });
    setImmediate(look);
    await Promise.all([0, 1, 2, 3].map(judge));
    isOver = true;
    expect(most).toBe(1);
    expect(ends).toEqual([0, 1, 2, 3]);
  });
});
