/** What is remembered of the revision that a server speaks, and for how long that holds. */
import { beforeEach, describe, expect, it } from 'vitest';
import { silentLog, type WorkspaceId } from '../../src/kernel/index.ts';
import { createEras, type Eras } from '../../src/main/upstreams/eras.ts';
import { row } from './cell-world.ts';

const workspace = 'ws_test' as WorkspaceId;
let saved: { key: string; era: string } | null;
let saves: number;
let eras: Eras;
const started = (): Eras =>
  createEras({
    workspace,
    log: silentLog,
    rows: {
      find: async (_, server) => (saved === null ? null : { server, ...saved }),
      save: async (_, { key, era }) => {
        saved = { key, era };
        saves += 1;
      },
    },
  });
beforeEach(() => {
  saved = null;
  saves = 0;
  eras = started();
});

describe('the revision of a server', () => {
  it('is kept when it is learnt, and written down only when it is another', async () => {
    const first = await eras.of(row('notes'));
    expect(first.known).toBeNull();
    first.learn('stateless', false);
    const second = await started().of(row('notes'));
    expect(second.known).toBe('stateless');
    second.learn('stateless', false);
    expect(saves).toBe(1);
    second.learn('session', false);
    expect(saved?.era).toBe('session');
  });

  it('is asked for anew with another manifest', async () => {
    (await eras.of(row('notes'))).learn('stateless', false);
    expect((await eras.of(row('notes', { manifestHash: 'another' }))).known).toBeNull();
  });

  it('is not written down of one that only died of the question, and it is not asked again by this process', async () => {
    const told: string[] = [];
    eras.onDied((slug) => told.push(slug));
    (await eras.of(row('notes'))).learn('session', true);
    expect(told).toEqual(['notes']);
    expect(saves).toBe(0);
    expect((await eras.of(row('notes'))).known).toBe('session');
    expect((await started().of(row('notes'))).known).toBeNull();
  });

  it('is unknown where it cannot be read, or is none', async () => {
    saved = { key: 'hash ', era: 'something' };
    expect((await eras.of(row('notes'))).known).toBeNull();
    const broken = createEras({
      workspace,
      log: silentLog,
      rows: { find: () => Promise.reject(new Error('no')), save: () => Promise.reject(new Error('no')) },
    });
    const memory = await broken.of(row('notes'));
    expect(memory.known).toBeNull();
    memory.learn('session', false);
    expect((await broken.of(row('notes'))).known).toBeNull();
  });
});
