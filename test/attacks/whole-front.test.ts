/** ATTACKS 18, 19 with everything real: who may talk to a running gateway at its front door. */
import { request } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attackerManifest, openWorld, type World } from './whole-world.ts';

let world: World;
const tokens: Record<string, { id: string; token: string }> = {};
beforeAll(async () => {
  world = await openWorld();
  await world.addServer(attackerManifest(world.folder, 'secretive'));
  await world.client.setProfile('open', [{ server: 'attacker', tools: '*' }]);
  await world.client.setProfile('closed', [{ server: 'secretive', tools: '*' }]);
  for (const name of ['mine', 'gone', 'other'])
    tokens[name] = await world.client.createToken({ profile: 'open', agent: name });
  tokens['closed'] = await world.client.createToken({ profile: 'closed', agent: 'closed' });
});
afterAll(() => world.close());

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly session: string;
}

const initialize = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 't', version: '1' } },
};
const callTool = (name: string) => ({
  jsonrpc: '2.0',
  id: 2,
  method: 'tools/call',
  params: { name, arguments: { code: '() => 42', given: null } },
});

function post(path: string, headers: Record<string, string>, body: object = initialize): Promise<Answer> {
  return new Promise((done, fail) => {
    const usual = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
    const outgoing = request(
      world.url + path,
      { method: 'POST', headers: { ...usual, ...headers } },
      (incoming) => {
        let text = '';
        incoming.on('data', (piece: Buffer) => (text += piece.toString()));
        incoming.on('end', () =>
          done({
            status: incoming.statusCode ?? 0,
            body: text,
            session: String(incoming.headers['mcp-session-id']),
          }),
        );
      },
    );
    outgoing.on('error', fail).end(JSON.stringify(body));
  });
}

const as = (name: string): Record<string, string> => ({ authorization: `Bearer ${tokens[name]?.token}` });

const changed = (token: string): string =>
  token.slice(0, -8) + (token.at(-8) === '0' ? '1' : '0') + token.slice(-7);

describe('ATTACKS 18: tokens', () => {
  it('control: the right token may use its profile', async () => {
    const opened = await post('/mcp/open', as('mine'));
    expect(opened.status).toBe(200);
    const headers = { ...as('mine'), 'mcp-session-id': opened.session };
    expect((await post('/mcp/open', headers, callTool('attacker__run'))).body).toContain('42');
  });

  it.each([
    ['none', () => ({})],
    [
      'one with a character changed',
      () => ({ authorization: `Bearer ${changed(tokens['mine']?.token ?? '')}` }),
    ],
    ['another in Basic', () => ({ authorization: `Basic ${btoa(`x:${tokens['mine']?.token}`)}` })],
    ['a cookie', () => ({ cookie: `token=${tokens['mine']?.token}` })],
    ['the id alone', () => ({ authorization: `Bearer ${tokens['mine']?.id}` })],
  ])('401 for %s', async (_name, headers) => {
    const answer = await post('/mcp/open', headers());
    expect(answer.status).toBe(401);
    expect(answer.body).toMatch(/"unauthenticated"/);
  });

  it('401 for one in the query', async () => {
    expect(
      (await post(`/mcp/open?token=${tokens['mine']?.token}&access_token=${tokens['mine']?.token}`, {}))
        .status,
    ).toBe(401);
  });

  it('stops a revoked one at once, in a session that is open too', async () => {
    const opened = await post('/mcp/open', as('gone'));
    const headers = { ...as('gone'), 'mcp-session-id': opened.session };
    expect((await post('/mcp/open', headers, callTool('attacker__run'))).body, 'the control').toContain('42');
    await world.client.revokeToken(tokens['gone']?.id ?? '');
    expect((await post('/mcp/open', headers, callTool('attacker__run'))).status).toBe(401);
    expect((await post('/mcp/open', as('gone'))).status).toBe(401);
  });

  it('stops an expired one', async () => {
    // Enough to be made and used before, also on a busy machine.
    const expiresAt = Date.now() + 8_000;
    tokens['late'] = await world.client.createToken({ profile: 'open', agent: 'late', expiresAt });
    expect((await post('/mcp/open', as('late'))).status, 'the control').toBe(200);
    while (Date.now() <= expiresAt) await new Promise((done) => setTimeout(done, 100));
    expect((await post('/mcp/open', as('late'))).status).toBe(401);
  });

  it('is for its profile only, whatever the path says', async () => {
    expect((await post('/mcp/closed', as('closed'))).status, 'the control').toBe(200);
    for (const path of [
      '/mcp/closed',
      '/mcp/closed/secretive',
      '/mcp/open/../closed',
      '/mcp/open%2f..%2fclosed',
      '/mcp//closed',
      '/mcp/default',
    ])
      expect([401, 403, 404], path).toContain((await post(path, as('mine'))).status);
    expect((await post('/mcp/open/secretive', as('mine'))).body).toContain('mcp_server_unknown');
    const opened = await post('/mcp/open', as('mine'));
    const headers = { ...as('mine'), 'mcp-session-id': opened.session };
    const answer = await post('/mcp/open', headers, callTool('secretive__run'));
    expect(answer.body).toMatch(/"error"/);
    expect(answer.body).not.toContain('42');
  });

  it("cannot use another token's session", async () => {
    const opened = await post('/mcp/open', as('mine'));
    const stolen = { ...as('other'), 'mcp-session-id': opened.session };
    expect((await post('/mcp/open', stolen, callTool('attacker__run'))).status).toBe(404);
  });
});

describe('ATTACKS 19: a browser', () => {
  it.each([
    ['a foreign Host', { host: 'attacker.example' }],
    ['a foreign Origin', { origin: 'https://attacker.example' }],
    ['no Origin that could be checked', { origin: 'null' }],
  ])('is refused with %s, token or not', async (_name, headers) => {
    expect((await post('/mcp/open', { ...as('mine'), ...headers })).status).toBe(403);
  });

  it("has no operator's API behind the front door", async () => {
    for (const path of [
      '/api/v1/servers',
      '/api/v1/openapi.json',
      '/api/v1/calls',
      '/stdio',
      '/mcp/../api/v1/servers',
    ])
      expect((await post(path, as('mine'))).status, path).toBe(404);
    const upgrade = await new Promise<string>((done) => {
      const socket = connect(Number(new URL(world.url).port), '127.0.0.1');
      let text = '';
      socket.on('data', (piece: Buffer) => (text += piece.toString()));
      socket.on('close', () => done(text));
      socket.on('error', () => done(text));
      socket.end(
        'GET /stdio?profile=default HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: mcp-stdio\r\n\r\n',
      );
    });
    expect(upgrade).not.toMatch(/^HTTP\/1\.1 101/);
  });

  it('leaves a record, without a token in it', async () => {
    const text = await world.exported();
    expect(text).toContain('"token.revoked"');
    for (const { token } of Object.values(tokens)) {
      expect(text).not.toContain(token.slice(-40));
      expect(world.log()).not.toContain(token.slice(-40));
    }
  });
});
