/**
 * ATTACKS 18: guessed, revoked, expired, foreign and misplaced tokens, and a flood of them, at the HTTP door of a real
 * gateway. Every attack comes from a loopback address of its own, so that none uses up the tries of another.
 */
import { type IncomingHttpHeaders, request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { limits } from '../../src/kernel/index.ts';
import { needlesOf, tracesIn } from '../catalog/secret-traces.ts';
import { makeHome, type Served, waitFor } from '../e2e/harness.ts';

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

interface NewToken {
  readonly id: string;
  readonly token: string;
}

interface Refusal {
  readonly reason: string;
  readonly token: string | null;
  readonly remoteAddress: string;
}

const INITIALIZE = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
});

const home = makeHome();
let gateway: Served;
let good: NewToken;

const createToken = (...options: string[]): Promise<NewToken> => home.json('token', 'create', ...options);

beforeAll(async () => {
  await home.run('init');
  await home.run('profile', 'create', 'other');
  gateway = await home.serve();
  good = await createToken('--agent', 'good');
});

afterAll(async () => {
  await gateway.stop();
  home.remove();
});

/** @param from a loopback address to come from */
function knock(
  from: string,
  headers: Readonly<Record<string, string>>,
  { path = '/mcp/default', body = INITIALIZE }: { path?: string; body?: string } = {},
): Promise<Answer> {
  const { hostname, port } = new URL(gateway.url);
  return send(
    { hostname, port, path, localAddress: from, headers: { host: `localhost:${port}`, ...headers } },
    body,
  );
}

interface Where {
  readonly path: string;
  readonly hostname?: string;
  readonly port?: string;
  readonly localAddress?: string;
  readonly socketPath?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

function send(where: Where, body: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...where.headers,
    };
    const request = httpRequest({ ...where, headers, method: 'POST', agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString(),
        }),
      );
    });
    request.on('error', reject);
    request.end(body);
  });
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

/** What was refused to an address, as the audit log says. */
async function refusals(from: string): Promise<Refusal[]> {
  const { stdout } = await home.run('audit', 'export');
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { type: string; data: Refusal })
    .filter(({ type, data }) => type === 'token.refused' && data.remoteAddress === from)
    .map(({ data }) => data);
}

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** A token of the right form, checksum and all, as anybody can make one who has read the documentation. */
function forged(id: string, secret: string): string {
  const text = `sally_${id}_${secret}`;
  let rest = crc32(text);
  let checksum = '';
  for (let digit = 0; digit < 6; digit += 1) {
    checksum = `${BASE62[rest % 62] ?? ''}${checksum}`;
    rest = Math.floor(rest / 62);
  }
  return text + checksum;
}

const guess = (n: number): string => String(n).padStart(28, '0');
const idOf = (token: string): string => token.split('_')[1] ?? '';
const secretOf = (token: string): string => (token.split('_')[2] ?? '').slice(0, 28);
/** The same with one character of the secret changed, and the checksum made right. */
const near = (token: string): string => {
  const secret = secretOf(token);
  return forged(idOf(token), `${secret.slice(0, -1)}${secret.endsWith('A') ? 'B' : 'A'}`);
};

describe('the door', () => {
  it('opens for the token (the control)', async () => {
    expect(forged(idOf(good.token), secretOf(good.token))).toBe(good.token);
    const answer = await knock('127.0.0.2', bearer(good.token));
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body)).toMatchObject({ id: 1, result: { serverInfo: { name: 'sallyport' } } });
    expect(await refusals('127.0.0.2')).toEqual([]);
  });

  it('stays shut for guesses, and answers each the same: whoever guesses learns nothing from it', async () => {
    const from = '127.0.0.3';
    const revoked = await createToken();
    await home.json('token', 'revoke', revoked.id);
    const guesses: [string, string, string | null][] = [
      [forged(idOf(good.token), guess(1)), 'token_unknown', good.id],
      [near(good.token), 'token_unknown', good.id],
      [forged('0000000000000000', guess(1)), 'token_unknown', null],
      [`${good.token.slice(0, -1)}${good.token.endsWith('0') ? '1' : '0'}`, 'token_malformed', null],
      [good.token.slice(0, -1), 'token_malformed', null],
      [`${good.token}A`, 'token_malformed', null],
      [good.token.toUpperCase(), 'token_malformed', null],
      ['sally_', 'token_malformed', null],
      ['null', 'token_malformed', null],
      [near(revoked.token), 'token_unknown', revoked.id],
      [revoked.token, 'token_revoked', revoked.id],
    ];
    const answers = new Set<string>();
    for (const [token] of guesses) {
      const { status, headers, body } = await knock(from, bearer(token));
      answers.add(JSON.stringify([status, { ...headers, date: '' }, body]));
    }
    expect(answers.size).toBe(1);
    expect([...answers][0]).toContain('unauthenticated');
    expect([...answers][0]).toContain('[401,');
    expect((await refusals(from)).map(({ reason, token }) => [reason, token])).toEqual(
      guesses.map(([, reason, token]) => [reason, token]),
    );
    expect((await knock(from, bearer(good.token))).status).toBe(200);
  });

  it('shuts at once for a token that is revoked or rotated, in a session that it began too', async () => {
    const from = '127.0.0.4';
    const [revoked, rotated] = [await createToken(), await createToken()];
    const ping = { body: '{"jsonrpc":"2.0","id":2,"method":"ping"}' };
    const sessions = [];
    for (const { token } of [revoked, rotated]) {
      const begun = await knock(from, bearer(token));
      expect(begun.status).toBe(200);
      const session = { 'mcp-session-id': String(begun.headers['mcp-session-id']) };
      expect((await knock(from, { ...bearer(token), ...session }, ping)).status).toBe(200);
      sessions.push({ token, session });
    }
    await home.json('token', 'revoke', revoked.id);
    const next = await home.json<NewToken>('token', 'rotate', rotated.id);
    for (const { token, session } of sessions) {
      expect((await knock(from, bearer(token))).status).toBe(401);
      expect((await knock(from, { ...bearer(token), ...session }, ping)).status).toBe(401);
      // Nor does the session open for somebody else's token.
      expect((await knock(from, { ...bearer(good.token), ...session }, ping)).status).toBe(404);
    }
    expect((await knock(from, bearer(next.token))).status).toBe(200);
    expect((await refusals(from)).map(({ reason }) => reason)).toEqual(Array(4).fill('token_revoked'));
  });

  it('shuts when a token expires', async () => {
    const from = '127.0.0.5';
    // Enough to be made and used before, also on a busy machine.
    const expiresAt = Date.now() + 8_000;
    const created = await send(
      { socketPath: join(home.path, 'sallyport.sock'), path: '/api/v1/tokens' },
      JSON.stringify({ profile: 'default', agent: 'short', expiresAt }),
    );
    const { id, token } = JSON.parse(created.body) as NewToken;
    expect((await knock(from, bearer(token))).status).toBe(200);
    await waitFor(() => Date.now() >= expiresAt);
    expect((await knock(from, bearer(token))).status).toBe(401);
    expect((await refusals(from)).map((one) => [one.reason, one.token])).toEqual([['token_expired', id]]);
  });

  it('shows another profile’s token nothing of this one, not even what there is', async () => {
    const from = '127.0.0.6';
    const other = await createToken('--profile', 'other');
    expect((await knock(from, bearer(other.token), { path: '/mcp/other' })).status).toBe(200);
    const bodies = new Set<string>();
    for (const path of [
      '/mcp/default',
      '/mcp/default/',
      '/mcp/default/github',
      '/mcp/default/none',
      '/mcp/none',
    ]) {
      const answer = await knock(from, bearer(other.token), { path });
      expect(answer.status).toBe(403);
      bodies.add(answer.body);
    }
    expect([...bodies].map((body) => JSON.parse(body) as unknown)).toMatchObject([
      { error: { code: 'mcp_profile_mismatch' } },
    ]);
    const { stdout } = await home.run('audit', 'export');
    const recorded = stdout.split('\n').filter((line) => line.includes('mcp_profile_mismatch'));
    expect(recorded.length).toBe(5);
    expect(recorded.map((line) => JSON.parse(line) as unknown)).toMatchObject(
      recorded.map(() => ({ type: 'call.refused', actor: { kind: 'token', id: other.id } })),
    );
  });

  it('does not look for a token anywhere but in its header, and keeps none that was put elsewhere', async () => {
    const from = '127.0.0.7';
    const { token } = good;
    const query = encodeURIComponent(token);
    const places: [Record<string, string>, string][] = [
      [{}, `?token=${query}`],
      [{}, `?access_token=${query}`],
      [{}, `?authorization=Bearer%20${query}`],
      [{ cookie: `token=${token}; access_token=${token}` }, ''],
      [{ 'x-api-key': token }, ''],
      [{ 'proxy-authorization': `Bearer ${token}` }, ''],
      [{ authorization: token }, ''],
      [{ authorization: `Basic ${Buffer.from(`token:${token}`).toString('base64')}` }, ''],
      [{ authorization: `Bearer ${token}, Bearer ${token}` }, ''],
    ];
    for (const [headers, search] of places) {
      const answer = await knock(from, headers, { path: `/mcp/default${search}` });
      expect([answer.status, headers, search]).toEqual([401, headers, search]);
    }
    expect((await knock(from, bearer(token), { path: '/mcp/default?token=x' })).status).toBe(200);

    const needles = needlesOf(secretOf(token));
    const { stdout: exported } = await home.run('audit', 'export');
    expect(exported).toContain(good.id);
    expect(gateway.log()).toContain('token.refused');
    expect(tracesIn(Buffer.from(exported), needles)).toEqual([]);
    expect(tracesIn(Buffer.from(gateway.log()), needles)).toEqual([]);
    expect(tracesIn(Buffer.from(`x${token}`), needles)).not.toEqual([]);
  });

  it('holds against a flood of bad tokens, and stays open for everybody else meanwhile', async () => {
    const [flooder, neighbour] = ['127.0.0.8', '127.0.0.9'];
    const known = await createToken();
    // Verified before, behind the flooder's own address; and one that nobody has seen yet, elsewhere.
    expect((await knock(flooder, bearer(known.token))).status).toBe(200);
    const fresh = await createToken();
    const flood = Array.from({ length: 600 }, (_, n) =>
      knock(flooder, bearer(forged(idOf(good.token), guess(n)))),
    );
    const during = await Promise.all([
      knock(flooder, bearer(known.token)),
      knock(neighbour, bearer(fresh.token)),
      ...flood,
    ]);
    const [sameAddress, elsewhere, ...answers] = during.map(({ status }) => status);
    expect([sameAddress, elsewhere]).toEqual([200, 200]);
    expect(new Set(answers)).toEqual(new Set([401, 429]));

    const tried = answers.filter((status) => status === 401).length;
    // The tries of one address, and what filled up again with time; far from all.
    expect(tried).toBeGreaterThanOrEqual(limits.tokenFailuresMax);
    expect(tried).toBeLessThan(2 * limits.tokenFailuresMax);
    expect(await refusals(flooder)).toHaveLength(tried);
    expect((await knock(neighbour, bearer(good.token))).status).toBe(200);
    expect((await home.run('audit', 'verify')).code).toBe(0);
  });
});
