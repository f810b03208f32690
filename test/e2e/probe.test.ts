/** `sallyport server probe` as a user meets it: with a gateway and without one, before any secret is set. */
import { writeFileSync } from 'node:fs';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ProbeView, ServerView } from '../../src/api/index.ts';
import { createTestAuthority } from '../egress/test-authority.ts';
import { type Home, makeHome, proberManifest, type Served } from './harness.ts';

const ECHO = 'echo.test.example';
const CLEAN = 'clean.test.example';
const GONE = 'gone.test.example';
const BELOW = 'eu.wild.test.example';
const hosts = [ECHO, CLEAN, GONE, BELOW];

const authority = createTestAuthority(hosts);
const contexts = new Map(hosts.map((host) => [host, createSecureContext(authority.issue(host))]));
const arrived: string[] = [];
const upstream = createHttpsServer(
  { ...authority.issue(ECHO), SNICallback: (name, done) => done(null, contexts.get(name)) },
  (request, response) => {
    const { host = '', authorization = '' } = request.headers;
    arrived.push(`${request.method} ${host}${request.url ?? ''}`);
    if (host !== CLEAN) response.setHeader('X-You-Sent', authorization);
    response.end('{}');
  },
);

let home: Home;
let gateway: Served | null = null;

/** As the other tests have it, with the credential bound to these hosts. */
function manifestFor(name: string, bound: readonly string[], over: object = {}): string {
  const manifest = JSON.parse(proberManifest(home, { name, hosts: [...bound] })) as {
    credentials: [Record<string, unknown>];
  };
  manifest.credentials[0] = { ...manifest.credentials[0], hosts: bound };
  return JSON.stringify({ ...manifest, ...over });
}

async function add(name: string, manifest: string): Promise<void> {
  const file = join(home.path, `${name}.json`);
  writeFileSync(file, manifest);
  await home.json('server', 'add', file);
}

beforeAll(async () => {
  await new Promise<void>((done) => upstream.listen(0, '127.0.0.1', done));
  const { port } = upstream.address() as AddressInfo; // a listening TCP server has an AddressInfo
  const resolve = [ECHO, CLEAN, BELOW].map((host) => `"${host}:443": "127.0.0.1:${port}"`).join(', ');
  home = makeHome(
    `egress: { resolve: { ${resolve} }, extraCa: [ ./upstream.pem ], allowNetworks: [ 127.0.0.0/8 ] }\n`,
  );
  expect((await home.run('init')).code).toBe(0);
  writeFileSync(join(home.path, 'upstream.pem'), authority.caPem);
  gateway = await home.serve();
  await add('both', manifestFor('both', [ECHO, CLEAN]));
  await add('gone', manifestFor('gone', [GONE, CLEAN]));
  await add('wild', manifestFor('wild', ['*.wild.test.example']));
});
afterAll(async () => {
  await gateway?.stop();
  upstream.close();
  upstream.closeAllConnections();
  home.remove();
});

describe('sallyport server probe', () => {
  it('needs neither a secret nor a cell, and keeps what it found', async () => {
    const ran = await home.run('server', 'probe', 'both');
    expect(ran.code).toBe(0);
    expect(ran.stdout).toContain('2 asked, 1 sent the value back, 1 sent nothing back.');
    expect(ran.stdout).toMatch(
      /echo\.test\.example:443 +API_KEY +header Authorization +GET \/ +200 +header X-You-Sent \(raw\)\n/,
    );
    expect(ran.stdout).toMatch(/clean\.test\.example:443 +API_KEY +header Authorization +GET \/ +200 +no\n/);
    const server = await home.json<ServerView>('server', 'show', 'both');
    expect(server).toMatchObject({ cells: 0, secrets: [{ version: null }] });
    expect(server.probe?.manifestHash).toBe(server.manifestHash);
    expect(server.probe?.probes.map(({ host, echoed }) => [host, echoed.length])).toEqual([
      [ECHO, 1],
      [CLEAN, 0],
    ]);
    expect((await home.run('server', 'show', 'both')).stdout).toMatch(
      /\nprobed +\d{4}-.*: 2 asked, 1 sent the value back/,
    );
  });

  it('ends with 1 when a host could not be asked, and asks the others', async () => {
    const ran = await home.run('server', 'probe', 'gone', '--json');
    expect(ran.code).toBe(1);
    const { probes } = JSON.parse(ran.stdout) as ProbeView;
    expect(probes.map(({ host, outcome, code }) => [host, outcome, code])).toEqual([
      [GONE, 'failed', 'egress_upstream_unresolved'],
      [CLEAN, 'answered', null],
    ]);
  });

  it('asks below a wildcard where it is told to', async () => {
    const none = await home.json<ProbeView>('server', 'probe', 'wild');
    expect(none.probes).toMatchObject([{ outcome: 'skipped', code: 'probe_wildcard' }]);
    const one = await home.json<ProbeView>(
      'server',
      'probe',
      'wild',
      '--host',
      BELOW,
      '--path',
      '/v1/me?full=1',
    );
    expect(one.probes).toMatchObject([{ host: BELOW, outcome: 'answered', path: '/v1/me' }]);
    expect(arrived).toContain(`GET ${BELOW}/v1/me?full=1`);
  });

  it.each([
    [['--host', 'other.test.example'], 2, 'probe_host_denied'],
    [['--path', 'v1'], 2, 'probe_path_invalid'],
  ])('refuses %j with exit code %i', async (options, code, name) => {
    const before = arrived.length;
    const ran = await home.run('server', 'probe', 'both', ...options, '--json');
    expect(ran.code).toBe(code);
    expect(JSON.parse(ran.stdout)).toMatchObject({
      error: { code: name, hint: expect.any(String) as string },
    });
    expect(arrived).toHaveLength(before);
  });

  it.each([
    ['a kill switch', ['kill', '--server', 'both'], ['resume', '--server', 'both'], 'kill_active'],
    ['a disabled server', ['server', 'disable', 'both'], ['server', 'enable', 'both'], 'server_disabled'],
  ])('is refused with exit code 3 by %s', async (_name, stop, start, name) => {
    expect((await home.run(...stop)).code).toBe(0);
    const before = arrived.length;
    const ran = await home.run('server', 'probe', 'both', '--json');
    expect(ran.code).toBe(3);
    expect(JSON.parse(ran.stdout)).toMatchObject({ error: { code: name } });
    expect(arrived).toHaveLength(before);
    expect((await home.run(...start)).code).toBe(0);
  });

  it('works the same without a gateway, and leaves an audit log that verifies', async () => {
    await gateway?.stop();
    gateway = null;
    const found = await home.json<ProbeView>('server', 'probe', 'both');
    expect(found.probes.map(({ host, echoed }) => [host, echoed.length])).toEqual([
      [ECHO, 1],
      [CLEAN, 0],
    ]);
    expect((await home.json<ServerView>('server', 'show', 'both')).probe).toEqual(found);
    expect((await home.run('audit', 'verify')).code).toBe(0);
    const types = (await home.run('audit', 'export')).stdout
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { type: string }).type);
    const count = (type: string): number => types.filter((one) => one === type).length;
    // Each host of each probe above that was not refused.
    expect([count('egress.request'), count('egress.probed'), count('credential.used')]).toEqual([7, 7, 0]);
  });
});
