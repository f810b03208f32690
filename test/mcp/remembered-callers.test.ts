/** Of callers that were good is remembered that they are, until anything changes. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { fixedClock, limits, silentLog, type WorkspaceId } from '../../src/kernel/index.ts';
import type { Principal } from '../../src/mcp/ports/callers.ts';
import { Standings } from '../../src/mcp/client/standings.ts';

const callerOf = (id: string): Principal => ({
  workspace: 'ws_test' as WorkspaceId, // any
  actor: { kind: 'token', id },
  profile: 'default',
  agent: 'test',
});

/** Callers that are good but for those that are said to be gone, for ever or for so long, and who was asked about. */
function world(lastsMs = Infinity) {
  const clock = fixedClock(0);
  const gone = new Set<string>();
  const asked: string[] = [];
  let changed = (): void => undefined;
  const standings = new Standings({
    standing: {
      async until({ actor }) {
        asked.push(actor.id);
        return gone.has(actor.id) ? null : lastsMs;
      },
      onChange(listener) {
        changed = listener;
        return () => undefined;
      },
    },
    clock,
    log: silentLog,
  });
  const watched = (id: string): { readonly ended: Promise<string>; readonly stop: () => void } => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const stop = standings.watch(callerOf(id), (error) => resolve(error.code));
    return { ended: promise, stop };
  };
  const wait = async (ms: number): Promise<void> => {
    clock.advance(ms);
    await vi.advanceTimersByTimeAsync(ms);
  };
  return { gone, asked, watched, change: () => changed(), wait };
}

describe('whether callers may go on', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
  afterEach(() => void vi.useRealTimers());

  it('is asked once for requests that come one after the other', async () => {
    const { asked, watched } = world();
    for (let request = 0; request < 5; request += 1) watched('a').stop();
    expect(asked).toEqual(['a']);
  });

  it('is asked anew after any change, also for one that had nothing under way then', async () => {
    const { gone, asked, watched, change } = world();
    watched('a').stop();
    gone.add('a');
    change();
    expect(await watched('a').ended).toBe('token_ended');
    expect(asked).toEqual(['a', 'a']);
  });

  it('ends what is under way, whatever else of it has ended', async () => {
    const { gone, watched, change } = world();
    const [first, second] = [watched('a'), watched('a')];
    first.stop();
    gone.add('a');
    change();
    expect(await second.ended).toBe('token_ended');
  });

  it('is remembered for as long as the token lasts, and no longer', async () => {
    const { asked, watched, wait } = world(1_000);
    watched('a').stop();
    await wait(0);
    await wait(999);
    watched('a').stop();
    expect(asked).toEqual(['a']);
    await wait(1);
    expect(await watched('a').ended).toBe('token_ended');
    expect(asked).toEqual(['a', 'a', 'a']);
  });

  it('is not remembered of more callers than it may be', () => {
    const { asked, watched } = world();
    const ids = Array.from({ length: limits.mcpCallersRememberedMax + 1 }, (_, index) => `a${index}`);
    for (const id of ids) watched(id).stop();
    expect(asked).toEqual(ids);
    for (const id of ids) watched(id).stop();
    expect(asked.slice(ids.length)).toEqual(ids.slice(-1));
  });
});
