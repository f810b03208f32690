/** The explicit proxy as a user meets it: settings for a shell, programs that know nothing of it, and what cuts them off. */
import { spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, connect as connectTcp, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ProxySettings } from '../../src/api/index.ts';
import { limits } from '../../src/kernel/index.ts';
import { createTestAuthority } from '../egress/test-authority.ts';
import { type Home, makeHome, type Outcome, proberManifest, type Served, waitFor } from './harness.ts';

const HOST = 'api.test.example';
const KEY = 'sk-real-value-0123456789';

const authority = createTestAuthority([HOST]);
const arrived: string[] = [];
const upstream = createHttpsServer(authority.issue(HOST), (request, response) => {
  arrived.push(`${request.url} ${request.headers.authorization}`);
  response.end(JSON.stringify({ path: request.url, sent: request.headers.authorization }));
});

let home: Home;
let gateway: Served;
let address = '';

interface NewToken {
  readonly id: string;
  readonly token: string;
}
const newToken = (): Promise<NewToken> => home.json<NewToken>('token', 'create');
const settingsOf = (token: NewToken, server = 'one'): Promise<ProxySettings> =>
  home.json<ProxySettings>('proxy', 'env', '--server', server, '--token', token.id);

/** Its last character is another, whatever that is. */
function mistyped({ token }: NewToken, at: number): string {
  const others = Array.from('0123456789').filter((digit) => !token.endsWith(digit));
  return `${token.slice(0, -1)}${others[at % others.length]}`;
}

/** Runs a line in a shell with an environment of its own. */
async function shell(line: string, env: Readonly<Record<string, string>>): Promise<Outcome> {
  const child = spawn('/bin/sh', ['-c', line], {
    env: { PATH: process.env['PATH'] ?? '', HOME: home.temporary, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (data: Buffer) => (stdout += data.toString()));
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

/** The answer's first line to CONNECT. */
async function connectVia(user: string, token: string): Promise<{ line: string; socket: Socket }> {
  const [host, port] = address.split(':');
  const socket = connectTcp({ host: host ?? '', port: Number(port) });
  socket.on('error', () => socket.destroy());
  await once(socket, 'connect');
  const login = Buffer.from(`${user}:${token}`).toString('base64');
  socket.write(
    `CONNECT ${HOST}:443 HTTP/1.1\r\nHost: ${HOST}:443\r\nProxy-Authorization: Basic ${login}\r\n\r\n`,
  );
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  return { line: bytes.toString('latin1').split('\r\n', 1)[0] ?? '', socket };
}

/** A tunnel with TLS in it, in which a request was answered. */
async function opened(token: NewToken, settings: ProxySettings): Promise<TLSSocket> {
  const { line, socket } = await connectVia(settings.server, token.token);
  expect(line).toBe('HTTP/1.1 200 Connection established');
  const secure = connectTls({ socket, servername: HOST, ca: readFileSync(settings.caFile) });
  secure.on('error', () => undefined);
  await once(secure, 'secureConnect');
  expect(await asked(secure, settings)).toContain('200 OK');
  return secure;
}

async function asked(secure: TLSSocket, settings: ProxySettings): Promise<string> {
  secure.write(
    `GET / HTTP/1.1\r\nHost: ${HOST}\r\nAuthorization: Bearer ${settings.variables['API_KEY']}\r\n\r\n`,
  );
  const [bytes] = (await once(secure, 'data')) as [Buffer];
  return bytes.toString('latin1');
}

beforeAll(async () => {
  await new Promise<void>((done) => upstream.listen(0, '127.0.0.1', done));
  const { port } = upstream.address() as AddressInfo; // a listening TCP server has an AddressInfo
  home = makeHome(
    `proxy: { listen: "127.0.0.1:0" }\negress: { resolve: { "${HOST}:443": "127.0.0.1:${port}" }, extraCa: [ ./upstream.pem ], allowNetworks: [ 127.0.0.0/8 ] }\n`,
  );
  expect((await home.run('init')).code).toBe(0);
  writeFileSync(join(home.path, 'upstream.pem'), authority.caPem);
  for (const name of ['one', 'two']) {
    const file = join(home.path, `${name}.json`);
    writeFileSync(file, proberManifest(home, { name }));
    await home.json('server', 'add', file);
  }
  expect((await home.runWith({ input: KEY }, 'secret', 'set', 'one', 'API_KEY', '--stdin')).code).toBe(0);
});
afterAll(async () => {
  await gateway?.stop();
  upstream.close();
  upstream.closeAllConnections();
  home.remove();
});

describe('sallyport proxy env', () => {
  it('says what is missing where no gateway runs', async () => {
    const ran = await home.run('proxy', 'env', '--server', 'one');
    expect(ran.code).toBe(1);
    expect(ran.stderr).toContain('No gateway is running that serves programs outside of cells.');
    expect(ran.stderr).toContain('proxy: { listen: 127.0.0.1:7801 }');
  });

  it('points a program at the proxy, which puts the key in and takes it out of the answer', async () => {
    gateway = await home.serve();
    address = await waitFor(() => /"address":"([^"]+)"/.exec(gateway.log())?.[1]);
    const token = await newToken();
    const lines = await home.run('proxy', 'env', '--server', 'one');
    expect(lines.code).toBe(0);
    expect(lines.stdout + lines.stderr).not.toContain(token.token);
    const env = { SALLYPORT_TOKEN: token.token, LINES: lines.stdout };
    const settings = await settingsOf(token);
    const placeholder = settings.variables['API_KEY'] ?? '';
    expect(placeholder).toMatch(/^key_[A-Za-z0-9]{32}$/);

    const curl = await shell(
      `eval "$LINES"; curl -sS -H "Authorization: Bearer $API_KEY" https://${HOST}/curl`,
      env,
    );
    expect(curl).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(curl.stdout)).toEqual({ path: '/curl', sent: `Bearer ${placeholder}` });

    const script = `fetch('https://${HOST}/node', { headers: { Authorization: 'Bearer ' + process.env.API_KEY } }).then(async (r) => console.log(await r.text()))`;
    const node = await shell(`eval "$LINES"; "${process.execPath}" -e "${script}"`, env);
    expect(JSON.parse(node.stdout)).toEqual({ path: '/node', sent: `Bearer ${placeholder}` });
    expect(arrived).toEqual([`/curl Bearer ${KEY}`, `/node Bearer ${KEY}`]);

    const used = (await home.run('audit', 'tail', '-n', '50', '--json')).stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; actor: unknown; data: { for?: object } })
      .filter(({ type, data }) => type === 'credential.used' && data.for !== undefined && 'via' in data.for);
    expect(used).toHaveLength(2);
    expect(used[0]).toMatchObject({
      actor: { kind: 'token', id: token.id },
      data: { for: { via: 'proxy', path: '/curl' } },
    });
  });

  it('gives the same placeholders each time, others to others, and an authority that is good for these hosts alone', async () => {
    const [first, second] = [await newToken(), await newToken()];
    const settings = await settingsOf(first);
    expect(await settingsOf(first)).toEqual(settings);
    const others = [await settingsOf(second), await settingsOf(first, 'two')];
    for (const other of others) {
      expect(other.caFile).not.toBe(settings.caFile);
      expect(other.variables['API_KEY']).not.toBe(settings.variables['API_KEY']);
    }
    expect(others[1]).toMatchObject({ server: 'two', variables: {}, unset: ['API_KEY'] });
    expect(statSync(settings.caFile).mode & 0o777).toBe(0o644);
    const certificate = new X509Certificate(readFileSync(settings.caFile));
    expect(certificate.ca).toBe(true);
    expect(certificate.raw.includes(Buffer.from(HOST))).toBe(true);
  });

  it('asks which token and which server is meant', async () => {
    const ran = await home.run('proxy', 'env', '--server', 'one');
    expect(ran.stderr).toContain('It is not certain which token is meant.');
    const token = await newToken();
    const unnamed = await home.run('proxy', 'env', '--token', token.id);
    expect(unnamed.code).toBe(3);
    expect(unnamed.stderr).toContain('There are: one, two.');
    expect((await home.run('proxy', 'env', '--token', 'tok_none')).code).toBe(1);
    /* And so does the proxy. */
    expect((await connectVia('', token.token)).line).toMatch(/ 403 /);
    expect((await connectVia('three', token.token)).line).toMatch(/ 403 /);
    expect((await connectVia('one', mistyped(token, 0))).line).toMatch(/ 407 /);
  });
});

describe('what cuts a tunnel that is open, and the next one too', () => {
  it.each<[string, (token: NewToken) => Promise<unknown>, () => Promise<unknown>, RegExp]>([
    ['revoking the token', (token) => home.json('token', 'revoke', token.id), async () => null, / 407 /],
    [
      'the kill switch for the token',
      (token) => home.json('kill', '--token', token.id),
      async () => null,
      / 403 /,
    ],
    [
      'the kill switch for the server',
      () => home.json('kill', '--server', 'one'),
      () => home.json('resume', '--server', 'one'),
      / 403 /,
    ],
    [
      'disabling the server',
      () => home.json('server', 'disable', 'one'),
      () => home.json('server', 'enable', 'one'),
      / 403 /,
    ],
    [
      'taking the server out of the profile',
      () => home.json('profile', 'set', 'default', '--remove', 'one'),
      () => home.json('profile', 'set', 'default', '--server', 'one'),
      / 403 /,
    ],
  ])('%s', async (_name, cut, mend, status) => {
    const token = await newToken();
    const bystander = await newToken();
    const settings = await settingsOf(token);
    const secure = await opened(token, settings);
    const before = arrived.length;
    const closed = once(secure, 'close');
    secure.resume();
    await cut(token);
    await closed;
    expect((await connectVia('one', token.token)).line).toMatch(status);
    expect(arrived).toHaveLength(before);
    await mend();
    const other = await opened(bystander, await settingsOf(bystander));
    other.destroy();
  });

  it('a rotated key is used from the next request on, in a tunnel that was open before', async () => {
    const token = await newToken();
    const settings = await settingsOf(token);
    const secure = await opened(token, settings);
    const next = 'sk-next-value-9876543210';
    expect((await home.runWith({ input: next }, 'secret', 'set', 'one', 'API_KEY', '--stdin')).code).toBe(0);
    const answer = await asked(secure, settings);
    expect(arrived.at(-1)).toBe(`/ Bearer ${next}`);
    expect(answer).toContain(settings.variables['API_KEY']);
    expect(answer).not.toContain(next);
    secure.destroy();
  });
});

/* The last one: nobody new is let in from this address for a while. */
it('whoever tries one token after the other is turned away, and who was let in before is not', async () => {
  const token = await newToken();
  const settings = await settingsOf(token);
  const secure = await opened(token, settings);
  const tries: string[] = [];
  for (let count = 0; count < 2 * limits.tokenFailuresMax; count += 1) {
    const { line, socket } = await connectVia('one', mistyped(token, count));
    tries.push(line.split(' ')[1] ?? '');
    socket.destroy();
  }
  expect(tries.indexOf('429')).toBeGreaterThanOrEqual(limits.tokenFailuresMax - 1);
  expect(tries.at(-1)).toBe('429');
  expect(await asked(secure, settings)).toContain('200 OK');
  secure.destroy();
  (await opened(token, settings)).destroy(); // a new tunnel of one that is known
});
