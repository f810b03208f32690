/**
 * ATTACKS 18: somebody got in with a token while it was good, and holds on to what it opened; and tokens in addresses. With
 * the program itself; how calls in flight end is in test/mcp/standings.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiClient, createClient } from '../../src/api/index.ts';
import { socketTransport } from '../../src/main/transport.ts';
import { needlesOf, tracesIn } from '../catalog/secret-traces.ts';
import { makeHome, type Served } from '../e2e/harness.ts';

const home = makeHome();
let gateway: Served;
let client: ApiClient;
beforeAll(async () => {
  await home.run('init');
  gateway = await home.serve();
  client = createClient(socketTransport(join(home.path, 'sallyport.sock')));
  await client.setProfile('doomed', []);
});
afterAll(async () => {
  await gateway.stop();
  home.remove();
});

const createToken = (profile = 'default', more: { expiresAt?: number } = {}) =>
  client.createToken({ profile, agent: 'attacker', ...more });

/** An event stream that is open; `ended` settles when the gateway ends it. */
async function openStream(
  token: string,
  profile: string,
): Promise<{ readonly ended: Promise<void>; isOpen(): boolean; close(): void }> {
  const url = `${gateway.url}/mcp/${profile}`;
  const headers: Record<string, string> = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  };
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 't', version: '1' } };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params });
  const begun = await fetch(url, { method: 'POST', headers, body });
  expect(begun.status).toBe(200);
  headers['mcp-session-id'] = begun.headers.get('mcp-session-id') ?? '';
  await begun.text();
  const abort = new AbortController();
  const stream = await fetch(url, { headers, signal: abort.signal });
  expect(stream.headers.get('content-type')).toBe('text/event-stream');
  let open = true;
  const ended = stream.text().then(
    () => {
      open = false;
    },
    () => undefined,
  );
  return { ended, isOpen: () => open, close: () => abort.abort() };
}

describe('ATTACKS 18: a stream that was opened in time', () => {
  it('ends when its token is revoked, rotated or has expired, or its profile is deleted; others stay', async () => {
    const good = await openStream((await createToken()).token, 'default');
    const [revoked, rotated] = [await createToken(), await createToken()];
    const doomed = await createToken('doomed');
    const cases: [string, string, () => Promise<unknown>][] = [
      [revoked.token, 'default', () => client.revokeToken(revoked.id)],
      [rotated.token, 'default', () => client.rotateToken(rotated.id)],
      [doomed.token, 'doomed', () => client.deleteProfile('doomed')],
    ];
    for (const [token, profile, act] of cases) {
      const stream = await openStream(token, profile);
      expect(stream.isOpen(), 'the control').toBe(true);
      await act();
      await stream.ended;
      expect(stream.isOpen()).toBe(false);
    }
    // Enough to be made and used before, also on a busy machine.
    const short = await createToken('default', { expiresAt: Date.now() + 8_000 });
    const stream = await openStream(short.token, 'default');
    await stream.ended;
    expect(stream.isOpen()).toBe(false);
    expect(good.isOpen()).toBe(true);
    good.close();
    expect(gateway.log()).toContain('mcp.caller.ended');
    const { stdout } = await home.run('audit', 'export');
    expect(stdout.split('\n').filter((line) => line.includes('"token.revoked"'))).toHaveLength(3);
  });
});

describe('ATTACKS 18: a token in the address', () => {
  it('is good only where its profile says so, and is kept nowhere', async () => {
    await client.setProfile('headless', [], { tokenInUrl: true });
    const [allowed, exposed] = [await createToken('headless'), await createToken()];
    const params = {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 't', version: '1' },
    };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params });
    const knock = async (profile: string, token: string): Promise<number> => {
      const headers = { 'content-type': 'application/json', accept: 'application/json' };
      const address = `${gateway.url}/mcp/${profile}?token=${encodeURIComponent(token)}`;
      return (await fetch(address, { method: 'POST', headers, body })).status;
    };
    expect(await knock('headless', allowed.token), 'the control').toBe(200);
    expect(await knock('default', exposed.token)).toBe(401);
    expect(await knock('default', allowed.token)).toBe(401);
    expect(await knock('headless', exposed.token)).toBe(401);
    await client.setProfile('headless', [], { tokenInUrl: false });
    expect(await knock('headless', allowed.token)).toBe(401);

    const { stdout } = await home.run('audit', 'export');
    expect(stdout.split('\n').filter((line) => line.includes('"mcp_token_in_url"'))).toHaveLength(4);
    for (const { token } of [allowed, exposed]) {
      const needles = needlesOf((token.split('_')[2] ?? '').slice(0, 28));
      expect(tracesIn(Buffer.from(`x${token}`), needles), 'the control').not.toEqual([]);
      expect(tracesIn(Buffer.from(stdout), needles)).toEqual([]);
      expect(tracesIn(Buffer.from(gateway.log()), needles)).toEqual([]);
    }
  });
});
