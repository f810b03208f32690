import { describe, expect, it } from 'vitest';
import type { Kill } from '../../src/api/index.ts';
import type { RunningCell } from '../../src/main/cells/start.ts';
import { createKills, type KillsDeps } from '../../src/main/kills.ts';

const cell = (slug: string, owner: string | null) =>
  ({ server: { slug }, key: { slug, owner, profile: null, shared: false } }) as RunningCell; // what is asked of it

const cells = { github: cell('github', null), slack: cell('slack', null), adas: cell('github', 'ada') };

/** The cells that are cut by these switches. */
async function cutBy(...switches: readonly [Kill['scope'], string][]): Promise<string[]> {
  const cut: string[] = [];
  let told = 0;
  const kills = switches.map(([scope, target]) => ({ scope, target, at: 0, by: 'x', reason: '' }));
  const deps = {
    services: { workspace: 'wsp_test', store: { kills: { list: async () => kills } } },
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
    ['of everything', [['all', '']], ['github', 'slack', 'adas']],
    ['of the workspace', [['workspace', '']], ['github', 'slack', 'adas']],
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
});
