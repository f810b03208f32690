/**
 * ATTACKS 25, metrics: whoever asks for them from elsewhere gets none, and whoever gets them reads no secret, token,
 * argument or user in them, nor a line that a name of a tool made. Each beside what is told.
 */
import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Secret, silentLog } from '../../src/kernel/index.ts';
import { loadConfig } from '../../src/main/config.ts';
import { createGateway, type Gateway } from '../../src/main/gateway.ts';
import { type Door, openLocalDoor, openMetricsDoor, openTcpDoor } from '../../src/main/listeners.ts';
import { finished, refused } from '../usage/events.ts';
import { needlesOf, tracesIn } from '../catalog/secret-traces.ts';
import { makeProductHome, type ProductHome } from './product-home.ts';

const VALUE = 'ghp_Metrics+Value/of=the?Token&"123456"';
const FORGED = 'x"} 1\nsallyport_kill_switches{scope="all"} 0\n#';

let home: ProductHome;
let gateway: Gateway;
let metrics: Door;
let front: Door;
let local: Door;
let token: string;

beforeAll(async () => {
  home = await makeProductHome();
  const { workspace } = home;
  const server = await home.addServer('github');
  const ref = { server, serverSlug: 'github', name: 'TOKEN', owner: null };
  await home.vault.put(home.local, ref, Secret.fromString(VALUE));
  const made = await home.tokens.create(home.local, { profile: 'default', agent: 'agent-name' });
  token = made.token.reveal();
  const called = [finished('search', 7), finished(FORGED, 7), refused('private-argument', 'kill_active')];
  for (const event of called) await home.audit.append({ ...event, workspace });
  const told = { channels: [{ name: 'ops', kind: 'webhook', url: 'https://ops.example/private-path' }] };
  writeFileSync(join(home.directory, 'sallyport.yaml'), JSON.stringify({ alerts: told }), { mode: 0o600 });
  const config = loadConfig({ SALLYPORT_HOME: home.directory });
  gateway = await createGateway(config, silentLog);
  metrics = await openMetricsDoor(gateway, { host: '127.0.0.1', port: 0 });
  front = await openTcpDoor(gateway, { host: '127.0.0.1', port: 0 });
  local = await openLocalDoor(gateway, join(home.directory, 'sallyport.sock'));
});
afterAll(async () => {
  for (const door of [metrics, front, local]) await door.close();
  await gateway.close();
  await home.dispose();
});

/** @param to an address, or the path of a socket */
function asked(
  to: string,
  { host, path = '/metrics', method = 'GET' }: { host?: string; path?: string; method?: string } = {},
): Promise<{ status: number; type: string; text: string }> {
  const { hostname, port } = to.startsWith('http') ? new URL(to) : { hostname: 'localhost', port: '' };
  const place = to.startsWith('http') ? { host: hostname, port } : { socketPath: to };
  return new Promise((done, fail) => {
    const headers = host === undefined ? {} : { host };
    const outgoing = request({ ...place, path, method, headers, agent: false }, (res) => {
      let text = '';
      res.on('data', (chunk) => (text += String(chunk)));
      res.on('end', () =>
        done({ status: res.statusCode ?? 0, type: res.headers['content-type'] ?? '', text }),
      );
    });
    outgoing.on('error', fail);
    outgoing.end();
  });
}

describe('told', () => {
  it.each([
    ['on its own address', () => metrics.address],
    ['on the local socket', () => local.address],
  ])('%s: what was called, how long it took, what runs', async (_, to) => {
    const { status, type, text } = await asked(to());
    expect([status, type]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8']);
    expect(text).toContain('sallyport_calls_total{server="github",tool="search",outcome="ok"} 1\n');
    expect(text).toContain('sallyport_refusals_total{server="github",code="kill_active"} 1\n');
    expect(text).toContain('sallyport_call_duration_seconds_bucket{server="github",le="0.01"} 2\n');
    expect(text).toContain('\nsallyport_approvals_pending 0\n');
    expect(text).toContain('\nsallyport_alert_undelivered{channel="ops"} 0\n');
    expect(text).toContain('\nsallyport_alert_failures{channel="ops"} 0\n');
    // Of what is not told, nothing is said.
    expect(text).toContain('\n# TYPE sallyport_slack_untold gauge\n# HELP');
    expect(text).toMatch(/\nprocess_resident_memory_bytes \d+\n/);
    for (const line of text.trim().split('\n'))
      expect(line).toMatch(/^(?:# (?:HELP|TYPE) \w+ .*|\w+(?:\{[^\n]*\})? [\d.e+-]+)$/);
  });

  it('by scope, which switches are set', async () => {
    await home.store.kills.set(home.workspace, {
      scope: 'server',
      target: 'github',
      reason: 'private-reason',
      by: 'local:0',
      at: 1,
    });
    const { text } = await asked(local.address);
    expect(text).toContain('sallyport_kill_switches{scope="server"} 1\n');
    expect(text).not.toContain('private-reason');
    await home.store.kills.lift(home.workspace, 'server', 'github');
  });

  it('with no secret, token, argument, agent or user', async () => {
    const { text } = await asked(metrics.address);
    const bytes = Buffer.from(text);
    expect(tracesIn(bytes, [...needlesOf(VALUE, 'ghp_'), ...needlesOf(token)])).toEqual([]);
    for (const name of ['private-argument', 'private-path', 'agent-name', 'claude', 'tok_', home.directory])
      expect(text).not.toContain(name);
    // The control: they would be found.
    expect(tracesIn(Buffer.from(`${text}${VALUE}`), needlesOf(VALUE, 'ghp_'))).not.toEqual([]);
  });

  it('a name is no line', async () => {
    const { text } = await asked(metrics.address);
    expect(text.split('\n').filter((line) => line.startsWith('sallyport_kill_switches{'))).toEqual([]);
    expect(text).toContain('tool="x\\"} 1\\nsallyport_kill_switches{scope=\\"all\\"} 0\\n#"');
  });
});

it('is put together once for whoever asks again and again', async () => {
  const put = vi.spyOn(gateway, 'metrics');
  const another = await openMetricsDoor(gateway, { host: '127.0.0.1', port: 0 });
  const texts = await Promise.all(Array.from({ length: 20 }, () => asked(another.address)));
  expect(new Set(texts.map(({ text }) => text)).size).toBe(1);
  expect(put).toHaveBeenCalledTimes(1);
  await another.close();
  put.mockRestore();
});

describe('not told', () => {
  it.each([
    'attacker.example',
    'attacker.example:9464',
    '127.0.0.1.attacker.example',
    '192.0.2.1',
    'localhost.',
    '127.0.0.1@attacker.example',
  ])('to a page that calls us %s', async (host) => {
    expect(await asked(metrics.address, { host })).toMatchObject({ status: 403 });
  });

  it.each(['localhost', '127.0.0.1:9464', '[::1]:1'])('but to whoever calls us %s', async (host) => {
    expect((await asked(metrics.address, { host })).status).toBe(200);
  });

  it('where agents connect, with a token or without', async () => {
    expect((await asked(front.address)).status).toBe(404);
    const answer = await fetch(`${front.address}/metrics`, { headers: { authorization: `Bearer ${token}` } });
    expect(answer.status).toBe(404);
    expect(await answer.text()).not.toContain('sallyport_calls');
  });

  it('and nothing else is there', async () => {
    expect((await asked(metrics.address, { path: '/api/v1/servers' })).status).toBe(404);
    expect((await asked(metrics.address, { path: '/mcp/default', method: 'POST' })).status).toBe(404);
  });

  it('to the network, whatever the configuration says', () => {
    const written = (listen: string) => {
      writeFileSync(join(home.directory, 'sallyport.yaml'), `metrics: { listen: "${listen}" }\n`, {
        mode: 0o600,
      });
      return loadConfig({ SALLYPORT_HOME: home.directory }).metricsListen;
    };
    expect(() => written('0.0.0.0:9464')).toThrow('loopback');
    expect(() => written('192.0.2.1:9464')).toThrow('loopback');
    expect(written('127.0.0.1:9464')).toEqual({ host: '127.0.0.1', port: 9464 });
  });
});
