import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Log, silentLog } from '../../src/kernel/index.ts';
import { watchStore } from '../../src/main/store-watch.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] }));
afterEach(() => void vi.useRealTimers());

const look = () => vi.advanceTimersByTimeAsync(500);

describe('watchStore', () => {
  it('tells of each change once, and of none after it was stopped', async () => {
    let revision = 1;
    let told = 0;
    const stop = watchStore({
      store: { revision: () => revision },
      log: silentLog,
      onChange: async () => void (told += 1),
    });
    await look();
    expect(told).toBe(0);
    revision = 2;
    await look();
    await look();
    expect(told).toBe(1);
    stop();
    revision = 3;
    await look();
    expect(told).toBe(1);
  });

  it('tells again when the work failed or the store could not be asked, and goes on', async () => {
    let revision = 1;
    let asked = 0;
    let told = 0;
    const logged: string[] = [];
    const log: Log = { ...silentLog, error: (event) => void logged.push(event) };
    const stop = watchStore({
      store: {
        revision: () => {
          asked += 1;
          if (asked === 2) throw new Error('locked');
          return revision;
        },
      },
      log,
      onChange: async () => {
        told += 1;
        if (told === 1) throw new Error('not now');
      },
    });
    revision = 2;
    await look();
    expect([told, logged]).toEqual([0, ['store.watch_failed']]);
    await look();
    expect([told, logged.length]).toEqual([1, 2]);
    await look();
    await look();
    expect([told, logged.length]).toEqual([2, 2]);
    stop();
  });

  it('does not begin anew while the work is going on', async () => {
    const work = Promise.withResolvers<void>();
    let revision = 1;
    let told = 0;
    const stop = watchStore({
      store: { revision: () => revision },
      log: silentLog,
      onChange: () => {
        told += 1;
        return work.promise;
      },
    });
    revision = 2;
    await look();
    revision = 3;
    await look();
    expect(told).toBe(1);
    work.resolve();
    await look();
    await look();
    expect(told).toBe(2);
    stop();
  });
});
