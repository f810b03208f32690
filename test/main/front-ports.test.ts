import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { AuditEvent } from '../../src/audit/index.ts';
import { type CellId, silentLog } from '../../src/kernel/index.ts';
import { callAudit, upstreams } from '../../src/main/front-ports.ts';
import type { Services } from '../../src/main/services.ts';
import { manifest, row } from './cell-world.ts';
import { type TemporaryHome, temporaryHome } from './temporary-home.ts';

let home: TemporaryHome;
let services: Services;

beforeEach(async () => {
  home = await temporaryHome();
  services = await home.services();
});
afterEach(async () => {
  await services.close();
  home.remove();
});

const ports = () =>
  upstreams(
    services,
    {
      open: async () => {
        throw new Error('no cell is asked for here');
      },
    },
    silentLog,
  );
const insert = (slug: string, over: Parameters<typeof row>[1] = {}) =>
  services.store.servers.insert(services.workspace, row(slug, over));
const slugs = async (name: string | null) =>
  (await ports().profile(services.workspace, name))?.servers.map(({ slug }) => slug);

describe('the cell that serves a caller', () => {
  it.each([
    ['user', 'ada', 'ada'],
    ['token', 'tok_1', null],
    ['local', '0', null],
  ] as const)('is, for a %s, one with the values of %s', async (kind, id, owner) => {
    const asked: unknown[] = [];
    const open = async (...all: unknown[]): Promise<never> => {
      asked.push(all);
      throw new Error('none here');
    };
    const front = upstreams(services, { open }, silentLog);
    const principal = { workspace: services.workspace, actor: { kind, id }, profile: 'default', agent: 'x' };
    await expect(front.open(principal, 'default', 'echo')).rejects.toThrow('none here');
    expect(asked).toEqual([['echo', 'default', owner]]);
  });
});

describe('the records of a call', () => {
  it.each([
    ['in a header', {}, ''],
    ['in an address', { tokenInUrl: true }, ',"tokenInUrl":true'],
  ] as const)(
    'have their keys in order, for a token %s, and the end waits for others',
    async (_, over, told) => {
      const taken: (readonly [how: string, event: AuditEvent])[] = [];
      const audit = {
        record: async (event: AuditEvent) => void taken.push(['at once', event]),
        note: async (event: AuditEvent) => void taken.push(['with others', event]),
      };
      const calls = callAudit({ ...services, audit: { ...services.audit, ...audit } }, async () => undefined);
      const actor = { kind: 'token', id: 'tok_1' } as const;
      const principal = { workspace: services.workspace, actor, profile: 'p', agent: 'a', ...over };
      const cell = 'cell_1' as CellId;
      const call = { id: 'call_1', principal, profile: 'p', server: 'echo', tool: 't', cell };
      await calls.started(call);
      await calls.finished(call, { outcome: 'failed', code: 'upstream_exited', durationMs: 1.6 });
      const start = '"agent":"a","call":"call_1","cell":"cell_1"';
      expect(taken.map(([how, { type, data }]) => [how, type, JSON.stringify(data)])).toEqual([
        ['at once', 'call.started', `{${start},"profile":"p"${told},"tool":"t"}`],
        [
          'with others',
          'call.finished',
          `{${start},"code":"upstream_exited","durationMs":2,"outcome":"failed","profile":"p"${told},"tool":"t"}`,
        ],
      ]);
    },
  );
});

describe('the view of a profile', () => {
  it('has its enabled servers in its order; the operator sees every one with all tools', async () => {
    await insert('one');
    await insert('two');
    await insert('off', { enabled: false });
    const entries = ['two', 'off', 'gone', 'one'].map((server) => ({ server, tools: null }));
    await services.store.profiles.insert(services.workspace, {
      id: 'prf_x' as never,
      name: 'work',
      entries,
      options: {},
      createdAt: 0,
      updatedAt: 0,
    });
    expect(await slugs('work')).toEqual(['two', 'one']);
    expect((await slugs(null))?.toSorted()).toEqual(['one', 'two']);
    expect((await ports().profile(services.workspace, null))?.servers[0]?.tools).toBe('*');
    expect(await ports().profile(services.workspace, 'nothing')).toBeNull();
  });

  it('goes on with the others when the manifest of one is no longer valid', async () => {
    await insert('broken', { manifest: { schemaVersion: 2 } });
    await insert('fine');
    expect((await slugs(null))?.toSorted()).toEqual(['broken', 'fine']);
  });

  it('says how long a call may take, where a manifest does', async () => {
    await insert('timed', { manifest: manifest([], { limits: { callSeconds: 7 } }) });
    await insert('untimed');
    const view = await ports().profile(services.workspace, null);
    const times = new Map(view?.servers.map(({ slug, callSeconds }) => [slug, callSeconds]));
    expect(times).toEqual(
      new Map([
        ['timed', 7],
        ['untimed', null],
      ]),
    );
  });

  it('is read anew after the store changed, by whichever process', async () => {
    const front = ports();
    expect((await front.profile(services.workspace, null))?.servers).toEqual([]);
    const other = await home.services();
    try {
      await other.store.servers.insert(services.workspace, row('new'));
      // What another process changed is seen within a few milliseconds.
      await vi.waitFor(async () => {
        expect((await front.profile(services.workspace, null))?.servers).toHaveLength(1);
      }, 10_000);
    } finally {
      await other.close();
    }
  });
});

describe('a profile that somebody looks at', () => {
  it('is told of when it is another, once, and of no other change of the store', async () => {
    const front = ports();
    const told: unknown[] = [];
    await insert('one');
    const stop = front.onProfile(services.workspace, null, (before, now) =>
      told.push([before?.servers.map(({ slug }) => slug), now?.servers.map(({ slug }) => slug)]),
    );
    await front.storeChanged();
    expect(told).toEqual([]);
    await insert('two');
    await front.storeChanged();
    await services.store.profiles.insert(services.workspace, {
      id: 'prf_y' as never,
      name: 'other',
      entries: [],
      options: {},
      createdAt: 0,
      updatedAt: 0,
    });
    await front.storeChanged();
    expect(told).toEqual([[['one'], ['one', 'two']]]);
    stop();
    await insert('three');
    await front.storeChanged();
    expect(told).toHaveLength(1);
  });
});
