/** What kind of server a stored one is decides how it is started. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { limits } from '../../src/kernel/index.ts';
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

it('reaches a remote one over HTTP, through a share of the data plane that ends with it', async () => {
  const server = { kind: 'remote', url: 'https://api.test.example/mcp' };
  world.servers.set('far', row('far', { manifest: { ...about, server, egress } }));
  const transport = await world.pool.open('far', 'default', null);
  expect([transport.kind, transport.cell.slice(0, 4)]).toEqual(['http', 'rmt_']);
  expect(world.identities).toMatchObject([{ cell: transport.cell, server: 'far', profile: 'default' }]);
  expect(await world.pool.open('far', 'default', null)).toBe(transport);
  const request = {
    method: 'GET',
    url: new URL('https://other.test.example/mcp'),
    headers: [],
    body: null,
  } as const;
  await expect(
    transport.kind === 'http' && transport.exchange(request, new AbortController().signal),
  ).rejects.toMatchObject({ code: 'upstream_origin' });
  await world.pool.restart('far', 'changed');
  expect(await transport.exited).toMatchObject({ reason: 'changed' });
  expect(world.said).toEqual([
    'far sallyport: started for profile default',
    'far cut',
    'far sallyport: ended: changed',
  ]);
  expect(world.events.map(({ type, server: slug }) => [type, slug])).toEqual([
    ['upstream.opened', 'far'],
    ['upstream.closed', 'far'],
  ]);
});

it('waits with the next start of one whose stream ends, unless it had served for a while', async () => {
  const server = { kind: 'remote', url: 'https://api.test.example/mcp' };
  world.servers.set('far', row('far', { manifest: { ...about, server, egress } }));
  const end = async (): Promise<void> => {
    const transport = await world.pool.open('far', null, null);
    if (transport.kind === 'http') await transport.streamEnded();
    await transport.exited;
  };
  await end();
  await expect(world.pool.open('far', null, null)).rejects.toMatchObject({ code: 'cell_backing_off' });
  world.clock.advance(limits.cellBackoffMsMax);
  const served = await world.pool.open('far', null, null);
  world.clock.advance(limits.cellHealthyMs);
  if (served.kind === 'http') await served.streamEnded();
  await served.exited;
  await expect(world.pool.open('far', null, null)).resolves.toMatchObject({ kind: 'http' });
});

it('starts nothing for a remote one whose credential is not set', async () => {
  const credentials = [
    {
      name: 'KEY',
      tier: 'sealed',
      hosts: ['api.test.example'],
      inject: [{ header: 'Authorization', format: 'Bearer {token}' }],
    },
  ];
  const server = { kind: 'remote', url: 'https://api.test.example/mcp' };
  world.servers.set('far', row('far', { manifest: { ...about, server, egress, credentials } }));
  await expect(world.pool.open('far', null, null)).rejects.toMatchObject({
    code: 'vault_credential_missing',
  });
  expect([world.identities, world.events]).toEqual([[], []]);
  world.secrets.set('KEY', 1);
  await expect(world.pool.open('far', null, null)).resolves.toMatchObject({ kind: 'http' });
});
