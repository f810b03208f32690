import { describe, expect, it } from 'vitest';
import { Turnstile } from '../../src/identity/turnstile.ts';

describe('the turnstile', () => {
  it('lets two in, one wait, and turns the fourth away; a failure frees its place', async () => {
    const turnstile = new Turnstile(2, 1);
    const started: number[] = [];
    const ends = [1, 2, 3, 4].map(() => Promise.withResolvers<string>());
    const runs = ends.map((end, index) =>
      turnstile.pass(() => {
        started.push(index);
        return end.promise;
      }),
    );
    expect(await runs[3]).toBeUndefined();
    expect(started).toEqual([0, 1]);
    ends[0]?.reject(new Error('broken'));
    await expect(runs[0]).rejects.toThrow('broken');
    expect(started).toEqual([0, 1, 2]);
    ends[1]?.resolve('one');
    ends[2]?.resolve('two');
    expect(await runs[1]).toBe('one');
    expect(await runs[2]).toBe('two');
    expect(await turnstile.pass(async () => 'again')).toBe('again');
  });
});
