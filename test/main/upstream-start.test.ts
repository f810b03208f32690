/** What kind of server a stored one is decides how it is started. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { makeWorld, row, type World } from './cell-world.ts';

let world: World;
beforeEach(() => {
  world = makeWorld();
});
afterEach(() => world.pool.close());

const about = { schemaVersion: 2, name: 'far', version: '1.0.0', credentials: [] };
const egress = [{ host: 'api.test.example' }];

it('starts a sandboxed one in a cell', async () => {
  const transport = await world.pool.open('echo', null, null);
  expect(transport.kind).toBe('lines');
  expect(world.cells.map(({ id }) => id)).toEqual([transport.cell]);
});

it.each([
  ['remote', { kind: 'remote', url: 'https://api.test.example/mcp' }],
  [
    'api',
    { kind: 'api', baseUrl: 'https://api.test.example', openapi: 'https://api.test.example/openapi.json' },
  ],
])('says of a %s one that it cannot run, and starts nothing', async (kind, server) => {
  world.servers.set('far', row('far', { manifest: { ...about, server, egress } }));
  await expect(world.pool.open('far', null, null)).rejects.toMatchObject({
    code: 'server_kind_unsupported',
    message: `Servers of kind \`${kind}\` cannot run yet.`,
    hint: 'Remove it: `sallyport server remove far`.',
  });
  expect([world.cells, world.events, world.pool.list()]).toEqual([[], [], []]);
});
