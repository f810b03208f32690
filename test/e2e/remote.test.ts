/** Remote servers as a user meets them: added by their address, used like any other, with a key that nobody here sees. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiClient, createClient } from '../../src/api/index.ts';
import { socketTransport } from '../../src/main/transport.ts';
import { type Home, makeHome, type Served, waitFor } from './harness.ts';
import { type Elsewhere, hosts, openElsewhere, type Seen } from './remote-server.ts';

const KEY = 'rmt_Zq7Rk2Vw9Xj4Nc8Tb3Mf6Ld1Hs5Gy0Pq';
const NEXT = 'rmt_Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St0Uv';
const RAW = 'raw-test';

let home: Home;
let elsewhere: Elsewhere;
let gateway: Served;
let client: ApiClient;

async function all<T>(lines: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const line of lines) found.push(line);
  return found;
}
const auditOf = async (slug: string) =>
  (await all(client.audit({ last: 500 }))).filter(({ server }) => server === slug);
const logOf = async (slug: string): Promise<string> =>
  (await all(client.logs(slug, false))).map(({ from, text }) => `${from}: ${text}`).join('\n');
const ask = (slug: string, tool: string): Promise<string> => client.call(slug, tool, '{}', undefined);
const seenBy = (host: string): Seen[] => elsewhere.seen.filter((one) => one.host === host);

beforeAll(async () => {
  elsewhere = await openElsewhere();
  elsewhere.key = KEY;
  home = makeHome(elsewhere.settings);
  expect((await home.run('init')).code).toBe(0);
  writeFileSync(join(home.path, 'upstream.pem'), elsewhere.caPem);
  gateway = await home.serve();
  client = createClient(socketTransport(join(home.path, 'sallyport.sock')));
});
afterAll(async () => {
  await gateway.stop();
  elsewhere.close();
  home.remove();
});

describe('a remote server', () => {
  it('is added by its address, with the one place that its key goes to', async () => {
    const added = await home.run('server', 'add', `https://${hosts.raw}/mcp`, '--bearer');
    expect(added.code, added.stderr).toBe(0);
    expect(added.stdout).toContain(`Next: sallyport secret set ${RAW} RAW_TEST_TOKEN`);
    expect(await client.server(RAW)).toMatchObject({
      kind: 'remote',
      address: `https://${hosts.raw}/mcp`,
      egress: [{ host: hosts.raw, port: 443, protocol: 'https', methods: ['GET', 'POST', 'DELETE'] }],
      secrets: [
        {
          name: 'RAW_TEST_TOKEN',
          hosts: [hosts.raw],
          inject: [{ header: 'Authorization', format: 'Bearer {token}' }],
        },
      ],
    });
    expect((await home.run('server', 'show', RAW)).stdout).toMatch(/\naddress +https:\/\/mcp\.raw\./);
  });

  it('is asked nothing before its key is set, and then with the key', async () => {
    await expect(ask(RAW, 'echo')).rejects.toMatchObject({ code: 'vault_credential_missing' });
    expect(elsewhere.seen).toEqual([]);
    await client.setSecret(RAW, 'RAW_TEST_TOKEN', KEY);
    const said = await ask(RAW, 'echo');
    const logins = seenBy(hosts.raw).map(({ headers }) => headers.authorization);
    expect(logins.length).toBeGreaterThan(3);
    expect(new Set(logins)).toEqual(new Set([`Bearer ${KEY}`]));
    // What it says of the key is not what the caller is told, in whatever form.
    expect(said).toContain('your key is ');
    for (const form of [KEY, Buffer.from(KEY).toString('base64')]) expect(said).not.toContain(form);
  });

  it('has what happened on record: the call that the key was used for, what was masked, the key nowhere', async () => {
    const events = await auditOf(RAW);
    const types = new Set(events.map(({ type }) => type));
    expect([...types]).toEqual(
      expect.arrayContaining(['upstream.opened', 'credential.used', 'egress.masked']),
    );
    const used = events.filter(({ type }) => type === 'credential.used');
    expect(JSON.stringify(used)).toContain('call_');
    expect(JSON.stringify(events)).not.toContain(KEY);
    expect(await logOf(RAW)).toBe('sallyport: started\nsallyport: ended: looked at\nsallyport: started');
    expect(gateway.log()).not.toContain(KEY);
  });

  it('is sent another key from the next request on, in the same session', async () => {
    elsewhere.key = NEXT;
    await client.setSecret(RAW, 'RAW_TEST_TOKEN', NEXT);
    expect(await ask(RAW, 'echo')).not.toContain(NEXT);
    expect(seenBy(hosts.raw).at(-1)?.headers.authorization).toBe(`Bearer ${NEXT}`);
    // The first was to ask it what it offers.
    expect(seenBy(hosts.raw).filter(({ body }) => body.includes('"initialize"'))).toHaveLength(2);
    elsewhere.key = KEY;
    await expect(ask(RAW, 'echo')).rejects.toMatchObject({ code: 'upstream_unauthorized' });
    expect(await logOf(RAW)).toContain('it refuses what it is shown (HTTP 401)');
    elsewhere.key = NEXT;
  });

  it('is cut off at once by the kill switch, and asked nothing until that is lifted', async () => {
    const waits = ask(RAW, 'wait').then(
      () => 'answered',
      () => 'cut',
    );
    await waitFor(() => elsewhere.waiting.size > 0);
    await client.kill('server', RAW, 'test');
    expect(await waits).toBe('cut');
    await waitFor(() => elsewhere.waiting.size === 0);
    const asked = seenBy(hosts.raw).length;
    await expect(ask(RAW, 'echo')).rejects.toMatchObject({ code: 'kill_active' });
    expect(seenBy(hosts.raw)).toHaveLength(asked);
    await client.resume('server', RAW);
    expect(await ask(RAW, 'echo')).toContain('your key is ');
  });

  it('is ended when it is disabled, and asked nothing', async () => {
    await client.enableServer(RAW, false);
    await expect(ask(RAW, 'echo')).rejects.toMatchObject({ code: 'mcp_server_unknown' });
    const events = (await auditOf(RAW)).filter(({ type }) => type === 'upstream.closed');
    expect(events.at(-1)).toMatchObject({ type: 'upstream.closed', data: { reason: 'changed' } });
    await client.enableServer(RAW, true);
    expect(await ask(RAW, 'echo')).toContain('your key is ');
  });
});

describe('other servers elsewhere', () => {
  const add = (address: string, name: string, more: object = {}) =>
    client.addServer({ source: address, name, ...more }, () => undefined);

  it('are those of the SDK, whose answers are events', async () => {
    await add(`https://${hosts.sdk}/mcp`, 'sdk');
    expect(await ask('sdk', 'greet')).toContain('hello from elsewhere');
    expect(await client.tools('sdk')).toContain('greet');
  });

  it('are those that compress what they say, as it comes, where nothing has to be searched for', async () => {
    await add(`https://${hosts.packed}/mcp`, 'packed');
    expect(await ask('packed', 'echo')).toContain('your key is ');
  });

  it('are those of revision 2024-11-05, with a header of the name of their secret', async () => {
    elsewhere.key = KEY;
    const added = await home.run(
      'server',
      'add',
      `https://${hosts.old}/sse`,
      '--name',
      'old',
      '--secret',
      'OLD_KEY',
    );
    expect(added.code, added.stderr).toBe(0);
    await client.setSecret('old', 'OLD_KEY', KEY);
    expect(await ask('old', 'echo')).not.toContain(KEY);
    const keys = seenBy(hosts.old).map(({ headers }) => headers['x-mcp-secret-old-key']);
    expect(new Set(keys)).toEqual(new Set([KEY]));
    expect(await logOf('old')).toContain('it speaks HTTP+SSE');
  });

  it('are those that want their key in the query', async () => {
    const added = await home.run(
      'server',
      'add',
      `https://${hosts.raw}/mcp?a=1`,
      '--name',
      'asked',
      '--query',
      'key',
    );
    expect(added.code, added.stderr).toBe(0);
    await client.setSecret('asked', 'ASKED_TOKEN', KEY);
    expect(await ask('asked', 'echo')).toContain('your key is ');
    expect(seenBy(hosts.raw).at(-1)?.url).toBe(`/mcp?a=1&key=${KEY}`);
  });

  it.each([
    ['http://plain.test.example/mcp', 'server_source_unsupported'],
    ['https://me:pass@x.test.example/', 'server_source_unsupported'],
    ['https://169.254.169.254/mcp', 'manifest_invalid'],
  ])('are none: %s', async (address, code) => {
    await expect(add(address, 'none')).rejects.toMatchObject({ code, kind: 'invalid' });
  });
});
