/** A plan, held against the cell that is then started from the same server. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LaunchPlan } from '../../src/api/index.ts';
import { type Home, makeHome, proberManifest, type Served } from './harness.ts';

const KEY = 'sk-real-value-0123456789';

let home: Home;
/** So that each call need not begin with one of its own. */
let gateway: Served | undefined;

interface Result {
  readonly content: readonly { readonly text: string }[];
}
async function call(tool: string, args: object): Promise<string> {
  const result = await home.json<Result>('call', 'prober', tool, JSON.stringify(args));
  return result.content.map(({ text }) => text).join('');
}

beforeAll(async () => {
  home = makeHome();
  expect((await home.run('init')).code).toBe(0);
  const file = join(home.path, 'prober.json');
  writeFileSync(file, proberManifest(home));
  await home.json('server', 'add', file);
  gateway = await home.serve();
});
afterAll(async () => {
  await gateway?.stop();
  home.remove();
});

describe('server show --plan', () => {
  it('names the secret that is missing, and still plans', async () => {
    const plan = await home.json<LaunchPlan>('server', 'show', 'prober', '--plan');
    expect(plan.problems).toEqual(['API_KEY has no value: sallyport secret set prober API_KEY']);
    expect(plan.cell.environment).not.toHaveProperty('API_KEY');
  });

  it('says what the cell then is: its environment, its mounts, its files', async () => {
    expect((await home.runWith({ input: KEY }, 'secret', 'set', 'prober', 'API_KEY', '--stdin')).code).toBe(
      0,
    );
    const { cell, ...plan } = await home.json<LaunchPlan>('server', 'show', 'prober', '--plan');
    expect(plan).toMatchObject({
      problems: [],
      program: ['node', '/srv/prober.mjs'],
      credentials: [{ name: 'API_KEY', tier: 'sealed', variable: 'API_KEY', set: true }],
    });
    expect(cell.environment['API_KEY']).toBe('<placeholder of API_KEY>');

    const seen = (await call('read', { path: '/proc/self/environ' }))
      .split('\0')
      .filter((line) => line !== '');
    const environment = Object.fromEntries(
      seen.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    );
    expect(environment['API_KEY']).toMatch(/^key_[A-Za-z0-9]{32}$/);
    // What `bwrap` sets by itself is not of the plan's making.
    const { PWD: _pwd, ...told } = environment;
    expect(told).toEqual({ ...cell.environment, API_KEY: environment['API_KEY'] });

    const mounted = (await call('read', { path: '/proc/self/mountinfo' }))
      .split('\n')
      .map((line) => line.split(' ')[4]);
    const planned = cell.mounts
      .filter(({ kind }) => kind === 'bind' || kind === 'memory')
      .map(({ path }) => path);
    expect(planned).toContain('/srv');
    expect(mounted).toEqual(expect.arrayContaining(planned));
    for (const { path, text } of cell.files)
      if (text !== null) expect(await call('read', { path })).toBe(text);
  });

  it('opens no secret, starts nothing, and so records nothing', async () => {
    const recorded = async (): Promise<number> =>
      (await home.run('audit', 'export')).stdout.trimEnd().split('\n').length;
    const before = await recorded();
    expect(before).toBeGreaterThan(1);
    const shown = await home.run('server', 'show', 'prober', '--plan');
    expect(shown.code).toBe(0);
    expect(shown.stdout).toContain('API_KEY  a placeholder in API_KEY');
    expect(shown.stdout).not.toContain(KEY);
    expect(await recorded()).toBe(before);
  });

  it('refuses what a start would refuse', async () => {
    const file = join(home.path, 'closed.json');
    const closed = JSON.parse(proberManifest(home, { name: 'closed' })) as { server: { files: object[] } };
    closed.server.files = [{ host: home.path, cell: '/srv', write: false }];
    writeFileSync(file, JSON.stringify(closed));
    await home.json('server', 'add', file);
    const shown = await home.run('server', 'show', 'closed', '--plan');
    expect(shown.code).toBe(3);
    expect(shown.stderr).toContain('is never shown to a server');
  });
});
