/**
 * ATTACKS 25: everything that a gateway ever shows, searched for what it keeps: its log at the most talkative, every page
 * of its API and its metrics, commands with and without `--json`, errors about input that holds the key, and what a crash
 * or a request for its memory leaves. The same search finds the key where it is planted.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { needlesOf, tracesIn } from '../catalog/secret-traces.ts';
import { API, type CellRequire, KEY, openWorld, waitFor, type World } from './whole-world.ts';

/** What Node says when it was asked for a debugger, whether its port is free or not. */
const DEBUGGER = /Debugger listening on|Starting inspector on/;

let world: World;
let token: string;
/** What was shown, by where. */
const shown = new Map<string, string>();

beforeAll(async () => {
  world = await openWorld({
    settings: ({ resolve, ca }) =>
      `log: debug\nrecording: { level: full }\nalerts: {}\negress: { resolve: ${resolve}, extraCa: [ ${ca} ], allowNetworks: [ 127.0.0.0/8 ] }\n`,
  });
  world.answer = (_seen, socket) =>
    void socket.write(`HTTP/1.1 200 OK\r\nX-Key: ${KEY}\r\nContent-Length: ${KEY.length}\r\n\r\n${KEY}`);
  token = (await world.client.createToken({ profile: 'default', agent: 'agent' })).token;
  await world.client.applyPolicy({
    text: 'rules: [{ id: ask, match: { tools: look }, do: approve }]',
    profile: null,
  });
  // The key is used and comes back; a host is refused; a call waits.
  expect(await world.inCell(asked, API)).toBe(200);
  await expect(world.inCell(asked, 'elsewhere.test.example')).rejects.toThrow('ENOTFOUND');
  await world.client.call('attacker', 'look', '{"code":"() => 1"}', undefined).catch(() => undefined);
}, 120_000);

afterAll(() => world.close());

/** Runs in the cell. */
async function asked(host: string, require: CellRequire): Promise<number> {
  const https = require('node:https');
  return new Promise((done, fail) => {
    https
      .get(
        `https://${host}/`,
        { headers: { authorization: `Bearer ${process.env['API_KEY']}` } },
        (response) => {
          response.resume().on('end', () => done(response.statusCode ?? 0));
        },
      )
      .on('error', fail);
  });
}

/** What one request is answered, head and body. */
function answerOf(
  to: { socketPath: string } | { port: number },
  {
    method = 'GET',
    path,
    headers = {},
    body = '',
  }: { method?: string; path: string; headers?: Record<string, string>; body?: string },
): Promise<string> {
  return new Promise((done, fail) => {
    const outgoing = request(
      { ...to, method, path, headers: { host: 'localhost', ...headers }, agent: false },
      (response) => {
        let text = `${response.statusCode} ${response.rawHeaders.join(' ')}\n`;
        response.on('data', (chunk) => (text += String(chunk)));
        response.on('end', () => done(text));
      },
    );
    outgoing.on('error', fail);
    outgoing.end(body);
  });
}

const socketPath = (): string => join(world.home, 'sallyport.sock');
const api = (path: string, more: { method?: string; body?: string } = {}): Promise<string> =>
  answerOf({ socketPath: socketPath() }, { path, headers: { 'content-type': 'application/json' }, ...more });
const bodyOf = (answer: string): string => answer.slice(answer.indexOf('\n') + 1);

it('every page of the API, and the metrics', async () => {
  const document = bodyOf(await api('/api/v1/openapi.json'));
  const { paths } = JSON.parse(document) as { paths: Record<string, Record<string, unknown>> };
  const readable = Object.keys(paths).filter((path) => 'get' in (paths[path] ?? {}));
  const [approval] = await world.client.approvals(null);
  const [recording] = await world.client.recordings({});
  const idOf = (path: string): string => (path.includes('/approvals/') ? approval?.id : recording?.id) ?? '';
  for (const path of readable) {
    const name = path.includes('/profiles/') ? 'default' : path.includes('/catalog/') ? 'github' : 'API_KEY';
    const filled = path.replace('{slug}', 'attacker').replace('{id}', idOf(path)).replace('{name}', name);
    const answer = await api(filled);
    expect([filled, answer.slice(0, 3)]).toEqual([filled, '200']);
    shown.set(`GET ${path}`, answer);
  }
  expect(readable.length).toBeGreaterThan(25);
  shown.set('GET audit', await api('/api/v1/audit?from=1'));
  shown.set('export of a session', await api(`/api/v1/recordings/${recording?.id ?? ''}/lines?for=export`));
  shown.set('metrics', await api('/metrics'));
  expect(shown.get('GET audit')).toContain('credential.used');
  expect(shown.get('metrics')).toContain('sallyport_calls_total');
  expect(shown.get('GET /api/v1/servers/{slug}/secrets')).toContain('API_KEY');
});

it('errors about input with the key in it', async () => {
  const quoted = JSON.stringify(KEY);
  const at = '/api/v1/servers/attacker/secrets/API_KEY';
  const bodies = [
    `{"value":${quoted}`,
    `{"value":{"a":${quoted}}}`,
    `{"valeu":${quoted}}`,
    `[${quoted}]`,
    KEY,
  ];
  for (const body of bodies) {
    const answer = await api(at, { method: 'PUT', body });
    expect(answer.slice(0, 1)).toBe('4');
    shown.set(`PUT ${body}`, answer);
  }
  shown.set(
    'an unknown name',
    await api('/api/v1/servers/attacker/secrets/OTHER', {
      method: 'PUT',
      body: JSON.stringify({ value: KEY }),
    }),
  );
  for (const words of [
    ['secret', 'set', 'attacker', 'API_KEY', KEY, 'more'],
    ['secret', 'set', 'attacker', 'OTHER', KEY],
    ['secret', 'set', 'nobody', 'API_KEY', KEY, '--json'],
    ['secret', 'set', 'attacker', 'API_KEY', KEY, '--stdin'],
  ]) {
    const { code, stdout, stderr } = await world.run(...words);
    expect(code).not.toBe(0);
    shown.set(words.join(' ').replace(KEY, 'KEY'), stdout + stderr);
  }
});

it('what clients are answered at the door', async () => {
  const { port } = new URL(world.url);
  const door = { port: Number(port) };
  const [secret = ''] = token.split('_').slice(-1);
  for (const headers of [
    {},
    { authorization: `Bearer ${token}` },
    { authorization: `Bearer ${token}x` },
    { authorization: `Basic ${Buffer.from(`a:${KEY}`).toString('base64')}` },
    { authorization: `Bearer ${token}`, host: `${secret}.example` },
  ])
    for (const path of [
      '/',
      '/mcp/default',
      '/mcp/nobody',
      `/mcp/default?token=${token}`,
      '/api/v1/status',
      '/metrics',
      '/healthz',
      '/readyz',
    ])
      shown.set(
        `${path} ${JSON.stringify(headers)}`.replaceAll(secret, ''),
        await answerOf(door, { method: 'POST', path, headers, body: `{"id":"${token}"` }),
      );
  expect([...shown.values()].some((text) => text.startsWith('401'))).toBe(true);
});

it('commands, as people read them', async () => {
  for (const words of [
    ['server', 'show', 'attacker'],
    ['server', 'show', 'attacker', '--plan'],
    ['secret', 'list', 'attacker'],
    ['server', 'logs', 'attacker'],
    ['audit', 'tail'],
    ['doctor'],
  ]) {
    const { stdout, stderr } = await world.run(...words);
    expect(stdout).not.toBe('');
    shown.set(words.join(' '), stdout + stderr);
  }
});

it('the log, at its most talkative, and those of cells', () => {
  shown.set('log', world.log());
  expect(world.log()).toContain('"level":20');
  for (const name of readdirSync(join(world.home, 'logs'), { recursive: true, withFileTypes: true }))
    if (name.isFile()) shown.set(name.name, readFileSync(join(name.parentPath, name.name), 'latin1'));
});

it('a request for its memory is not heeded, and a crash leaves none', async () => {
  // Control: what any program on Node says to the signal, from when on its memory is for the asking.
  const other = spawn(process.execPath, ['-e', 'console.error("up"); setInterval(() => {}, 1000)'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let heard = '';
  other.stderr.on('data', (chunk) => (heard += String(chunk)));
  await waitFor(() => heard.includes('up'));
  other.kill('SIGUSR1');
  await waitFor(() => DEBUGGER.test(heard));
  other.kill('SIGKILL');
  await once(other, 'exit');

  world.gateway.kill('SIGUSR1');
  expect(await world.inCell(asked, API)).toBe(200);
  expect(world.log()).not.toMatch(DEBUGGER);
  const limits = readFileSync(`/proc/${world.gateway.pid}/limits`, 'utf8');
  expect(limits).toMatch(/^Max core file size +[01] +[01] /m);
  world.gateway.kill('SIGABRT');
  await once(world.gateway, 'exit');
  shown.set('crash', world.log());
});

it('hold neither the key nor a token, in no encoding', () => {
  const needles = [...needlesOf(KEY, 'key_'), ...needlesOf(token.slice(token.lastIndexOf('_') + 1))];
  for (const [where, text] of shown)
    expect([where, tracesIn(Buffer.from(text), needles)]).toEqual([where, []]);
  // Control: it would have been found.
  expect(
    tracesIn(Buffer.from(`${shown.get('crash')}${Buffer.from(`a${KEY}`).toString('base64')}`), needles),
  ).not.toEqual([]);
  expect(shown.size).toBeGreaterThan(70);
});
