import { describe, expect, it } from 'vitest';
import { judgeBody } from '../../src/egress/request-body.ts';
import { limits } from '../../src/kernel/index.ts';
import { given } from './bound-request.ts';
import { bearer, PLACEHOLDER } from './world.ts';

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
});
