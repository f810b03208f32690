import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Kill } from '../../src/api/index.ts';
import type { CellIdentity } from '../../src/egress/index.ts';
import { newId, silentLog, systemClock, systemRandom } from '../../src/kernel/index.ts';
import type { RunningCell } from '../../src/main/cells/start.ts';
import { createKills, type KillsDeps } from '../../src/main/kills.ts';
import { openStore } from '../../src/store/index.ts';

const cell = (slug: string, owner: string | null, entrusted = false) =>
  ({
    server: { slug },
    key: { slug, owner, profile: null, shared: false },
    entrusted,
    credentials: new Map([['TOKEN', { owner, version: 1 }]]),
  }) as unknown as RunningCell; // what is asked of it

const cells = {
  github: cell('github', null),
  slack: cell('slack', null),
  adas: cell('github', 'ada'),
  given: cell('mail', null, true),
};
/** What has a share of the data plane, and what it calls a credential that it was given. */
const shares = [
  { cell: 'cel_1', server: 'github', names: ['TOKEN', 'OTHER'] },
  { cell: 'cel_2', server: 'slack', names: ['TOKEN'] },
  { cell: 'run_1', server: 'run', names: ['GITHUB_TOKEN'] },
];

/** The cells that are cut by these switches. */
async function cutBy(...switches: readonly [Kill['scope'], string][]): Promise<string[]> {
  const cut: string[] = [];
  const withdraw: KillsDeps['egress']['withdraw'] = (which) => {
    for (const { names, ...identity } of shares)
      for (const name of names)
        if (which(identity as CellIdentity, name)) cut.push(`${identity.cell} ${name}: withdrawn`);
  };
  let told = 0;
  const kills = switches.map(([scope, target]) => ({ scope, target, at: 0, by: 'x', reason: '' }));
  const deps = {
    services: { workspace: 'wsp_test', store: { kills: { list: async () => kills }, revision: () => 1 } },
    egress: { withdraw },
    credentialsOf: (of: string) =>
      of === 'run_1' ? new Map([['GITHUB_TOKEN', { row: { slug: 'github' }, name: 'TOKEN' }]]) : null,
    pool: {
      kill: async (which: (one: RunningCell) => boolean, reason: string) => {
        for (const [name, one] of Object.entries(cells)) if (which(one)) cut.push(`${name}: ${reason}`);
      },
    },
    listeners: new Set([() => (told += 1)]),
  };
  await createKills(deps as unknown as KillsDeps).enforce(); // of the store, only the list of switches is asked for
  expect(told).toBe(1);
  return cut;
}

describe('a kill switch cuts the cells', () => {
  it.each<[string, [Kill['scope'], string][], string[]]>([
    ['of everything', [['all', '']], ['github', 'slack', 'adas', 'given']],
    ['of the workspace', [['workspace', '']], ['github', 'slack', 'adas', 'given']],
    ['of a server', [['server', 'github']], ['github', 'adas']],
    ['of a user', [['user', 'ada']], ['adas']],
    [
      'of a server and a user',
      [
        ['server', 'slack'],
        ['user', 'ada'],
      ],
      ['slack', 'adas'],
    ],
    ['of nobody, where it is for a token', [['token', 'tok_1']], []],
    ['of nobody, where none is set', [], []],
  ])('%s', async (_, switches, expected) => {
    expect(await cutBy(...switches)).toEqual(expected.map((name) => `${name}: kill switch`));
  });

  it('and connections that carry a credential, whatever whoever carries it calls it', async () => {
    expect(await cutBy(['credential', 'github/TOKEN'])).toEqual([
      'cel_1 TOKEN: withdrawn',
      'run_1 GITHUB_TOKEN: withdrawn',
    ]);
  });

  it('and those that were given the value of a credential itself', async () => {
    expect(await cutBy(['credential', 'mail/TOKEN'])).toEqual(['given: kill switch']);
    expect(await cutBy(['credential', 'mail/OTHER'])).toEqual([]);
  });
});

it('a switch that another process sets cuts as well, and one that is lifted does not', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-kills-'));
  const options = { path: join(folder, 'sallyport.db'), log: silentLog, clock: systemClock };
  const [store, other] = [await openStore(options), await openStore(options)];
  const workspace = newId<'workspace'>('wsp', systemRandom);
  await store.workspaces.insert({ id: workspace, name: 'default', createdAt: 1 });
  const cut: string[] = [];
  let told = 0;
  const kills = createKills({
    services: { store, workspace },
    pool: {
      kill: async (which) => {
        for (const [name, one] of Object.entries(cells)) if (which(one)) cut.push(name);
      },
    },
    egress: { withdraw: () => undefined },
    credentialsOf: () => null,
    log: silentLog,
    listeners: new Set([() => (told += 1)]),
  });
  const stop = kills.watch();
  try {
    const kill = { scope: 'server', target: 'slack', at: 1, by: 'x', reason: '' } as const;
    await other.kills.set(workspace, kill);
    await expect.poll(() => cut, { timeout: 10_000 }).toEqual(['slack']);
    await other.kills.lift(workspace, 'server', 'slack');
    await other.kills.set(workspace, { ...kill, scope: 'token', target: 'tok_1' });
    await expect.poll(() => told, { timeout: 10_000 }).toBe(2);
    expect(cut).toEqual(['slack']);
  } finally {
    stop();
    await store.close();
    await other.close();
    rmSync(folder, { recursive: true });
  }
});
