/** A login as a person meets it: the whole program, a browser's way, and a server that takes nothing but tokens. */
import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ApiClient, createClient } from '../../src/api/index.ts';
import { socketTransport } from '../../src/main/transport.ts';
import { ISSUER, MCP_HOST, MCP_URL, openStandIn, type StandIn } from '../oauth/stand-in.ts';
import { type Home, makeHome, type Outcome, type Served, waitFor } from './harness.ts';

const PROGRAM = resolve(import.meta.dirname, '../../bin/sallyport.mjs');

let home: Home;
let standIn: StandIn;
let gateway: Served;
let client: ApiClient;
const children = new Set<ChildProcess>();

beforeAll(async () => {
  standIn = await openStandIn({ needs: ['read'] });
  const places = Object.entries(standIn.resolve).map(([name, at]) => `"${name}": "${at}"`);
  home = makeHome(
    `egress: { resolve: { ${places.join(', ')} }, extraCa: [ ./upstream.pem ], allowNetworks: [ 127.0.0.0/8 ] }\n`,
  );
  expect((await home.run('init')).code).toBe(0);
  writeFileSync(join(home.path, 'upstream.pem'), standIn.caPem);
  gateway = await home.serve();
  client = createClient(socketTransport(join(home.path, 'sallyport.sock')));
});
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await gateway.stop();
  home.remove();
  await standIn.close();
});

interface LoginCommand {
  /** Where the person is sent. */
  readonly authorizationUrl: string;
  readonly redirectUri: string;
  readonly ended: Promise<Outcome>;
}

async function startLogin(...options: string[]): Promise<LoginCommand> {
  const args = ['server', 'login', 'it', '--no-browser', '--port', '0', ...options];
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    env: { PATH: process.env['PATH'] ?? '', HOME: home.temporary, SALLYPORT_HOME: home.path },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.add(child);
  const said = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (said.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (said.stderr += chunk.toString()));
  const ended = new Promise<Outcome>((done) =>
    child.once('close', (code) => {
      children.delete(child);
      done({ code, ...said });
    }),
  );
  const found = await Promise.race([
    waitFor(() => /\n {2}(https:\S+)\n[^]*to (http:\S+)/.exec(said.stderr)),
    ended.then(({ stderr }) => Promise.reject(new Error(stderr))),
  ]);
  return { authorizationUrl: found[1] ?? '', redirectUri: found[2] ?? '', ended };
}

/** The person agrees, and the browser comes back. */
async function agree({ authorizationUrl, ended }: LoginCommand): Promise<Outcome> {
  const page = await fetch(await standIn.agree(authorizationUrl));
  expect(page.status).toBe(200);
  expect(await page.text()).toContain('You can close this page');
  return ended;
}

const tell = (): Promise<string> => client.call('it', 'tell', '{}', undefined);
const tokensSeen = (): string[] => [...standIn.valid.keys(), ...standIn.refreshes.keys()];

it('a server that wants a login says so, with the command that gives it one', async () => {
  const added = await home.run('server', 'add', MCP_URL, '--name', 'it');
  expect(added.code, added.stderr).toBe(0);
  await expect(tell()).rejects.toMatchObject({
    code: 'oauth_login_needed',
    hint: expect.stringContaining('sallyport server login it') as unknown,
  });
  // When it was added, and by the call.
  const question = `${MCP_HOST} POST /v1/mcp`;
  expect(standIn.asked, 'one question each is enough to know').toEqual([question, question]);
  expect((await home.run('server', 'show', 'it')).stdout).toContain('Login: none');
});

it('a person logs in, and what comes from others meanwhile ends nothing', async () => {
  const login = await startLogin();
  const other = await fetch(`${login.redirectUri}?code=stolen&state=guessed`);
  expect(other.status).toBe(400);
  expect(await other.text()).toContain('No login waits for this answer');
  const { code, stdout } = await agree(login);
  expect(stdout).toContain(`Login: at ${ISSUER}, until `);
  expect(code).toBe(0);
  expect(standIn.faults).toEqual([]);
  const shown = await home.run('server', 'show', 'it');
  expect(shown.stdout).toContain(`Login: at ${ISSUER}, until `);
  expect(shown.stdout).toContain('renewed by itself');
});

it('the server is shown the token, and nobody else is', async () => {
  const said = await tell();
  expect(said).toContain('your token is ');
  const [token = ''] = standIn.valid.keys();
  for (const form of [token, Buffer.from(token).toString('base64')]) expect(said).not.toContain(form);
  const { stdout } = await home.run('audit', 'export');
  for (const one of tokensSeen()) {
    expect(stdout).not.toContain(one);
    expect(gateway.log()).not.toContain(one);
  }
  for (const type of ['grant.begun', 'grant.granted', 'egress.masked']) expect(stdout).toContain(`"${type}"`);
  expect((await home.run('audit', 'verify')).code).toBe(0);
});

it('a gateway that was killed goes on with the login that it had', async () => {
  await gateway.crash();
  gateway = await home.serve();
  expect(await tell()).toContain('your token is ');
  expect(standIn.reused).toEqual([]);
});

it('a token that is refused is renewed, and the call is answered', async () => {
  const [before = ''] = standIn.valid.keys();
  standIn.expire();
  // One that is new a moment ago is not renewed for that.
  await waitFor(async () => (await tell().catch(() => '')).includes('your token is '));
  expect([...standIn.valid.keys()]).not.toContain(before);
  expect(standIn.reused).toEqual([]);
  expect(standIn.faults).toEqual([]);
});

it('a server that wants more gets it when the person agrees', async () => {
  standIn.does.needs = ['write'];
  await expect(tell()).rejects.toMatchObject({ code: 'oauth_scope_needed' });
  const { code, stdout } = await agree(await startLogin('--json'));
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    server: 'it',
    state: 'ready',
    scopes: ['read', 'offline_access', 'write'],
  });
  expect(await tell()).toContain('your token is ');
});

it('logs in without a gateway too, and out again', async () => {
  expect(await gateway.stop()).toBe(0);
  const { code, stderr } = await agree(await startLogin());
  expect(code, stderr).toBe(0);
  gateway = await home.serve();
  expect(await tell()).toContain('your token is ');
  // With a key of its own the server takes no logins any more; what there is of one is given back all the same.
  expect((await home.run('secret', 'inject', 'it', 'OWN_KEY', '--bearer')).code).toBe(0);
  const out = await home.run('server', 'logout', 'it');
  expect(out.stdout).toContain('logged out');
  expect(standIn.refreshes.size).toBeLessThan(3);
  await expect(tell()).rejects.toMatchObject({ code: 'vault_credential_missing' });
  expect(standIn.faults).toEqual([]);
});
