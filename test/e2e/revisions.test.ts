/** The whole program with servers of either kind of revision in cells, and what is remembered of them over a restart. */
import { cpSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeHome, type Served } from './harness.ts';

const FIXTURES = resolve(import.meta.dirname, '../mcp/fixtures');
const home = makeHome();
let gateway: Served;

async function add(name: string, words: readonly string[]): Promise<void> {
  const manifest = {
    schemaVersion: 2,
    name,
    version: '1.0.0',
    server: {
      kind: 'sandboxed',
      command: ['node', ...words],
      files: [{ host: home.servers, cell: '/srv', write: false }],
    },
    egress: [],
    credentials: [],
    tools: { default: ['go', 'seen'] },
  };
  const file = join(home.path, `${name}.json`);
  writeFileSync(file, JSON.stringify(manifest));
  await home.json('server', 'add', file);
}

const said = async (server: string, tool: string): Promise<string> =>
  JSON.stringify(await home.json('call', server, tool));

beforeAll(async () => {
  cpSync(FIXTURES, home.servers, { recursive: true });
  expect((await home.run('init')).code).toBe(0);
  gateway = await home.serve();
  await add('dies', ['/srv/openings.mjs', 'dies']);
  await add('modern', ['/srv/modern.mjs']);
});

afterAll(async () => {
  await gateway.stop();
  home.remove();
});

describe('a server', () => {
  it('that dies of the question for its revision is there at the first call, without a pause', async () => {
    expect(await said('dies', 'go')).toContain('initialize notifications/initialized');
    expect((await home.run('server', 'logs', 'dies')).stdout).toContain('it ended with code 7');
  });

  it('that knows no handshake is called like any other', async () => {
    expect(await said('modern', 'seen')).toContain('server/discover');
    expect(await said('modern', 'seen')).not.toContain('initialize');
  });

  it('is not asked again by the next gateway', async () => {
    const ends = async (): Promise<number> =>
      (await home.run('server', 'logs', 'dies')).stdout.split('it ended with code 7').length;
    const before = await ends();
    await gateway.stop();
    gateway = await home.serve();
    expect(await said('dies', 'go')).toContain('initialize notifications/initialized');
    expect(await ends()).toBe(before);
  });
});
