/** Gateways that start, stop and die, and what is left of them; clients that come and go meanwhile. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { limits } from '../../src/kernel/index.ts';
import { makeHome, proberManifest, type Served, waitFor } from './harness.ts';

const home = makeHome();
const socketPath = join(home.path, 'sallyport.sock');
const started = new Set<ChildProcess>();

interface Running {
  readonly process: ChildProcess;
  readonly out: () => string;
  readonly err: () => string;
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | string | null>;
}

/** A command that goes on until something ends it. */
function launch(...args: string[]): Running {
  const child = spawn(process.execPath, [join(import.meta.dirname, '../../bin/sallyport.mjs'), ...args], {
    env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', SALLYPORT_HOME: home.path },
    stdio: 'pipe',
  });
  started.add(child);
  const texts = { out: '', err: '' };
  child.stdout.on('data', (chunk: Buffer) => (texts.out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (texts.err += chunk.toString()));
  child.stdin.on('error', () => undefined);
  return {
    process: child,
    out: () => texts.out,
    err: () => texts.err,
    ended: new Promise((done) => child.once('close', (code, signal) => done(code ?? signal))),
  };
}

const say = (running: Running, message: object): void =>
  void running.process.stdin?.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
const hello = (running: Running): void => {
  const clientInfo = { name: 'test', version: '1.0.0' };
  say(running, {
    id: 1,
    method: 'initialize',
    params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo },
  });
  say(running, { method: 'notifications/initialized' });
};
const answer = (running: Running, id: number) =>
  waitFor(() =>
    running
      .out()
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as { id?: number; result?: unknown; error?: unknown })
      .find((message) => message.id === id),
  );
const types = async () =>
  (await home.run('audit', 'export')).stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { type: string; data: Record<string, unknown> });

/** Processes of this test's cells, in whatever namespace. */
const cells = () => readdirSync(join(home.path, 'run/cells'));

beforeAll(async () => {
  await home.run('init');
  writeFileSync(join(home.path, 'prober.json'), proberManifest(home, { required: false }));
  await home.json('server', 'add', join(home.path, 'prober.json'));
});

afterAll(() => {
  for (const child of started) child.kill('SIGKILL');
  home.remove();
});

/** An HTTP client that was answered once, and keeps its connection. */
async function idleClient(url: string): Promise<Socket> {
  const { token } = await home.json<{ token: string }>('token', 'create', '--agent', 'idle');
  const { hostname, port } = new URL(url);
  const body = JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method: 'initialize',
    params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'idle', version: '1' } },
  });
  const head = [
    'POST /mcp/default HTTP/1.1',
    `Host: ${hostname}:${port}`,
    `Authorization: Bearer ${token}`,
    'Accept: application/json, text/event-stream',
    'Content-Type: application/json',
    `Content-Length: ${body.length}`,
  ];
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  socket.write(`${head.join('\r\n')}\r\n\r\n${body}`);
  const [answer] = await once(socket, 'data');
  expect(String(answer)).toMatch(/^HTTP\/1\.1 200 /);
  socket.resume();
  return socket;
}

describe('a gateway', () => {
  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    'that gets %s ends in order and leaves nothing',
    async (signal) => {
      const gateway = await home.serve();
      expect((await home.run('call', 'prober', 'echo', '{"a":1}')).stdout).toBe('{"a":1}\n');
      expect(cells()).toHaveLength(1);
      expect((statSync(socketPath).mode & 0o777).toString(8)).toBe('600');
      const idle = await idleClient(gateway.url);
      expect(idle.readyState).toBe('open');
      const ended = new Promise((done) => gateway.process.once('close', done));
      gateway.process.kill(signal);
      // A terminal sends it to the whole group, and whoever started the program passes it on: that is one, not two.
      gateway.process.kill(signal);
      expect(await ended).toBe(0);
      expect(idle.destroyed || idle.readableEnded).toBe(true);
      expect(existsSync(socketPath)).toBe(false);
      expect(cells()).toEqual([]);
      const recorded = await types();
      expect(recorded.findLast(({ type }) => type === 'gateway.started')?.data).toMatchObject({
        pid: gateway.process.pid,
      });
      expect(recorded.at(-1)).toMatchObject({ type: 'cell.exited' });
      expect(recorded.findLast(({ type }) => type === 'gateway.stopped')?.data).toEqual({ reason: signal });
    },
    // Shorter than a connection may be idle: nothing waits for that.
    limits.frontIdleMs - 5_000,
  );

  it('is started once in a home, however many are started at once', async () => {
    const several = [1, 2, 3].map(() => launch('serve', '--listen', '127.0.0.1:0'));
    const ended = await waitFor(async () => {
      const codes = await Promise.all(
        several.map((one) =>
          Promise.race([one.ended, new Promise((done) => setTimeout(done, 50, 'running'))]),
        ),
      );
      return codes.filter((code) => code !== 'running').length === 2 && codes;
    });
    expect(ended.filter((code) => code === 1)).toHaveLength(2);
    for (const [at, one] of several.entries())
      if (ended[at] === 1) expect(one.err()).toContain('error: A gateway is running in this home already.');
    // The losers did not take the winner's socket with them.
    const winner = several[ended.indexOf('running')];
    await waitFor(() => winner?.err().includes('gateway.listening'));
    expect(await home.json<{ pid: number }>('status')).toMatchObject({ pid: winner?.process.pid });
    winner?.process.kill('SIGTERM');
    expect(await winner?.ended).toBe(0);
  });

  it('that cannot listen says so, records its end, and leaves no socket', async () => {
    const first = await home.serve();
    const other = makeHome();
    await other.run('init');
    const outcome = await other.run('serve', '--listen', new URL(first.url).host);
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toMatch(
      /error: Cannot listen on 127\.0\.0\.1:\d+: EADDRINUSE\.\nhint: {2}.*--listen/,
    );
    expect(existsSync(join(other.path, 'sallyport.sock'))).toBe(false);
    expect((await other.run('audit', 'export')).stdout).toContain('it could not listen');
    other.remove();
    await first.stop();
  });

  it('that was killed is replaced by a new one', async () => {
    const first = await home.serve();
    await home.run('call', 'prober', 'echo', '{}');
    await first.crash();
    expect(existsSync(socketPath)).toBe(true);
    const second = await home.serve();
    expect((await home.run('call', 'prober', 'echo', '{"b":2}')).stdout).toBe('{"b":2}\n');
    expect(await second.stop()).toBe(0);
    expect(cells()).toEqual([]);
  });
});

describe('a server', () => {
  it('may finish what it does when its gateway stops or it is changed, but not when it is killed', async () => {
    writeFileSync(
      join(home.servers, 'farewell.mjs'),
      "process.stdin.on('end', () => setTimeout(() => console.error('farewell'), 100));\nawait import('./prober.mjs');\n",
    );
    const file = join(home.path, 'farewell.json');
    writeFileSync(file, proberManifest(home, { name: 'farewell', script: 'farewell.mjs', required: false }));
    await home.json('server', 'add', file);
    const lastWords = async () =>
      (await home.run('server', 'logs', 'farewell')).stdout
        .trim()
        .split('\n')
        .slice(-2)
        .map((line) => line.split(' ').slice(3).join(' '));
    const gateway = await home.serve();
    await home.run('call', 'farewell', 'echo', '{}');
    await home.run('kill', '--server', 'farewell');
    expect(await lastWords()).toEqual(['| prober: ready', '* ended: kill switch']);
    await home.run('resume', '--server', 'farewell');
    await home.run('call', 'farewell', 'echo', '{}');
    await home.run('server', 'disable', 'farewell');
    expect(await lastWords()).toEqual(['| farewell', '* ended: changed']);
    await home.run('server', 'enable', 'farewell');
    await home.run('call', 'farewell', 'echo', '{}');
    expect(await gateway.stop()).toBe(0);
    expect(await lastWords()).toEqual(['| farewell', '* ended: gateway stopped']);
    await home.run('server', 'remove', 'farewell');
    expect(existsSync(join(home.path, 'logs/farewell.log'))).toBe(false);
  });
});

describe('the log of a server', () => {
  it('is there without a gateway, also of one that was killed, and goes on with what any process runs', async () => {
    const gateway = await home.serve();
    await home.run('call', 'prober', 'echo', '{}');
    await gateway.crash();
    const follower = launch('server', 'logs', 'prober', '-f');
    await waitFor(() => / \* started\n/.test(follower.out()));
    await home.run('call', 'prober', 'echo', '{}');
    await waitFor(() => follower.out().endsWith(' * ended: gateway stopped\n'));
    follower.process.kill('SIGINT');
    expect(await follower.ended).toBe(0);
    expect((await home.run('server', 'logs', 'prober')).stdout).toBe(follower.out());
  });
});

describe('a stdio client', () => {
  it('without a gateway has one of its own, writes protocol only, and ends at SIGTERM with its input open', async () => {
    const client = launch('stdio');
    hello(client);
    await answer(client, 1);
    say(client, { id: 2, method: 'tools/call', params: { name: 'prober__echo', arguments: { c: 3 } } });
    expect(await answer(client, 2)).toMatchObject({ result: { content: [{ text: '{"c":3}' }] } });
    const held = readFileSync(`/proc/${client.process.pid}/limits`, 'utf8');
    client.process.kill('SIGTERM');
    expect(await client.ended).toBe(0);
    for (const line of client.out().trim().split('\n'))
      expect(JSON.parse(line)).toMatchObject({ jsonrpc: '2.0' });
    expect(cells()).toEqual([]);
    expect(held).toMatch(/^Max core file size +[01] +[01] /m);
  });

  it('ends when its input ends, after the answers, with and without a gateway', async () => {
    const whole = async () => {
      const client = launch('stdio', '--server', 'prober');
      hello(client);
      say(client, { id: 2, method: 'tools/list' });
      client.process.stdin?.end();
      expect(await client.ended).toBe(0);
      expect(client.err()).toBe('');
      expect(client.out()).toContain('"id":2');
    };
    await whole();
    const gateway = await home.serve();
    await whole();
    await gateway.stop();
  });

  it('can be one of two, with and without a gateway', async () => {
    const both = async () => {
      const clients = [launch('stdio'), launch('stdio')];
      for (const [at, client] of clients.entries()) {
        hello(client);
        say(client, { id: 2, method: 'tools/call', params: { name: 'prober__echo', arguments: { at } } });
      }
      for (const [at, client] of clients.entries()) {
        expect(await answer(client, 2)).toMatchObject({ result: { content: [{ text: `{"at":${at}}` }] } });
        client.process.stdin?.end();
        expect(await client.ended).toBe(0);
      }
    };
    await both();
    const gateway = await home.serve();
    await both();
    await gateway.stop();
    expect((await home.run('audit', 'verify')).code).toBe(0);
  });

  it('learns of what another process changed: a server that is disabled, a kill, a value', async () => {
    const client = launch('stdio');
    hello(client);
    const call = async (id: number) => {
      say(client, { id, method: 'tools/call', params: { name: 'prober__env', arguments: {} } });
      return JSON.stringify(await answer(client, id));
    };
    const before = await call(2);
    expect(before).not.toContain('API_KEY');
    await home.runWith({ input: 'value-0123456789' }, 'secret', 'set', 'prober', 'API_KEY', '--stdin');
    // Its cell was started without a placeholder; the next one has it.
    expect(
      await waitFor(async () => /API_KEY[^,]*key_/.test(await call(Math.floor(Math.random() * 1e9)))),
    ).toBe(true);
    await home.run('kill', '--server', 'prober');
    await waitFor(() => cells().length === 0);
    expect(await call(3)).toContain('kill');
    await home.run('resume', '--server', 'prober');
    expect(await call(4)).toContain('key_');
    await home.run('server', 'disable', 'prober');
    await waitFor(() => cells().length === 0);
    expect(await call(5)).toContain('error');
    await home.run('server', 'enable', 'prober');
    client.process.stdin?.end();
    expect(await client.ended).toBe(0);
  });

  it('that nobody reads any more ends, with and without a gateway', async () => {
    const unread = async () => {
      const client = launch('stdio');
      hello(client);
      await answer(client, 1);
      client.process.stdout?.destroy();
      for (let id = 2; id < 6; id += 1) say(client, { id, method: 'ping' });
      expect(await client.ended).toBe(0);
    };
    await unread();
    const gateway = await home.serve();
    await unread();
    await gateway.stop();
    expect(cells()).toEqual([]);
  });
});

describe('clients of a gateway that is killed', () => {
  it('say what happened and end with 1', async () => {
    const gateway = await home.serve();
    const stdio = launch('stdio');
    hello(stdio);
    await answer(stdio, 1);
    const tail = launch('audit', 'tail', '-f');
    const logs = launch('server', 'logs', 'prober', '-f');
    await waitFor(() => tail.out().includes('gateway.started'));
    await waitFor(() => logs.process.pid !== undefined && logs.err() === '');
    await gateway.crash();
    for (const client of [stdio, tail]) {
      expect(await client.ended).toBe(1);
      expect(client.err()).toMatch(/^error: The gateway ended the connection/);
      expect(client.err()).not.toMatch(/\n\s+at /);
    }
    logs.process.kill('SIGKILL');
  });
});

describe('the doors', () => {
  let gateway: Served;
  beforeAll(async () => {
    gateway = await home.serve();
  });
  afterAll(() => gateway.stop());

  const overTcp = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
    new Promise<{ status: number; text: string }>((done, fail) => {
      const { hostname, port } = new URL(gateway.url);
      const outgoing = request({ hostname, port, path, headers, method }, (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString()));
        response.on('end', () => done({ status: response.statusCode ?? 0, text }));
      });
      outgoing.on('error', fail);
      outgoing.end();
    });

  it.each([
    ['/api/v1/status'],
    ['/api/v1/openapi.json'],
    ['//api/v1/status'],
    ['/mcp/../api/v1/status'],
    ['/mcp/%2e%2e/api/v1/status'],
    ['/MCP/default'],
    ['/stdio?profile=default'],
    ['/'],
  ])('over TCP show nothing of the API at %s', async (path) => {
    const upgrade = { connection: 'Upgrade', upgrade: 'mcp-stdio' };
    for (const headers of [{}, upgrade, { authorization: 'Bearer x' }]) {
      const { status, text } = await overTcp(path, headers);
      expect([404, 400]).toContain(status);
      expect(text).not.toMatch(/"pid"|"cells"|openapi/);
    }
  });

  it('over TCP let nobody in without a token', async () => {
    for (const method of ['GET', 'POST', 'DELETE']) {
      expect((await overTcp('/mcp/default', {}, method)).status).toBe(401);
      expect((await overTcp('/mcp/default?token=x', {}, method)).status).toBe(401);
    }
    expect((await overTcp('/mcp/default', { authorization: 'Bearer sally_nothing_nothing' })).status).toBe(
      401,
    );
  });

  it('over TCP refuse a name or a site that is not theirs, whoever asks', async () => {
    const { token } = await home.json<{ token: string }>('token', 'create');
    const authorization = `Bearer ${token}`;
    const { port } = new URL(gateway.url);
    const statusFor = async (headers: Record<string, string>) => {
      const own = { authorization, accept: 'application/json', 'content-type': 'application/json' };
      return (await overTcp('/mcp/default', { ...own, ...headers }, 'POST')).status;
    };
    const foreign = [
      'attacker.example',
      `attacker.example:${port}`,
      '127.0.0.1.attacker.example',
      '0.0.0.0',
      '127.1',
    ];
    for (const host of foreign) expect(await statusFor({ host }), host).toBe(403);
    for (const origin of [
      'http://attacker.example',
      'null',
      'http://127.0.0.1.attacker.example',
      'file://',
      'http://localhost@attacker.example',
    ])
      expect(await statusFor({ origin }), origin).toBe(403);
    // Controls: an own name and no origin, or a local one, get past the door (and say nothing).
    expect(await statusFor({ host: `127.0.0.1:${port}` })).toBe(400);
    expect(await statusFor({ host: `localhost:${port}`, origin: `http://localhost:${port}` })).toBe(400);
  });

  it('say whether they are well', async () => {
    expect(JSON.parse((await overTcp('/healthz')).text)).toMatchObject({ status: 'ok' });
    expect((await overTcp('/readyz')).status).toBe(200);
    await home.run('kill', '--all');
    expect((await overTcp('/readyz')).status).toBe(503);
    await home.run('resume', '--all');
  });

  it('survive an upgrade that means nothing, cut off at once', async () => {
    for (const target of ['//', '/nope', '/stdio', 'http://[', '*']) {
      for (const reset of [true, false]) {
        await new Promise<void>((done) => {
          const socket = connect(socketPath, () => {
            const head = `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n`;
            socket.write(head, () => {
              if (reset) socket.destroy();
            });
          });
          socket
            .on('data', () => undefined)
            .on('error', () => undefined)
            .on('close', () => done());
        });
      }
    }
    expect(gateway.process.exitCode).toBeNull();
    expect((await home.run('status')).code).toBe(0);
  });

  it('let go of what a client followed when it leaves', async () => {
    const { pid } = await home.json<{ pid: number }>('status');
    const descriptors = () => readdirSync(`/proc/${pid}/fd`).length;
    const before = descriptors();
    const tails = [1, 2, 3].map(() => launch('audit', 'tail', '-f'));
    for (const tail of tails) await waitFor(() => tail.out().includes('gateway.started'));
    expect(descriptors()).toBeGreaterThan(before);
    for (const tail of tails) tail.process.kill('SIGINT');
    for (const tail of tails) expect(await tail.ended).toBe(0);
    await waitFor(() => descriptors() <= before);
  });
});
