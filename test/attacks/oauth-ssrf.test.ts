/**
 * What a server says of its login are addresses that the gateway asks: a way to let it ask its own network, or to keep it
 * busy with an endless answer.
 */
import type { ServerResponse } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { limits } from '../../src/kernel/index.ts';
import { AS_HOST, ISSUER, MCP_HOST, MCP_URL, openStandIn, type StandIn } from '../oauth/stand-in.ts';
import { networkOf, type OAuthWorld, openOAuthWorld, REDIRECT } from '../oauth/world.ts';

let standIn: StandIn;
let world: OAuthWorld;

beforeAll(async () => {
  standIn = await openStandIn();
  world = await openOAuthWorld(networkOf(standIn));
});
afterAll(async () => {
  await world.close();
  await standIn.close();
});
afterEach(async () => {
  standIn.does.instead.clear();
  for (const seen of [standIn.asked, standIn.faults]) seen.length = 0;
  for (const tokens of [standIn.valid, standIn.refreshes]) tokens.clear();
});

const begin = (): Promise<unknown> => world.grants.begin(world.server, { redirectUri: REDIRECT });
const RESOURCE = `${MCP_HOST} /about/resource`;
const METADATA = `${AS_HOST} /.well-known/oauth-authorization-server/tenant`;

function challengeNames(url: string): void {
  standIn.does.instead.set(`${MCP_HOST} /v1/mcp`, (_, res) =>
    res.writeHead(401, { 'www-authenticate': `Bearer resource_metadata="${url}"` }).end(),
  );
}

describe('an address that a server names', () => {
  it.each([
    ['https://169.254.169.254/latest/meta-data/', 'egress_upstream_address_refused'],
    ['https://10.0.0.1/', 'egress_upstream_address_refused'],
    ['https://192.168.1.1:8443/admin', 'egress_upstream_address_refused'],
    ['http://169.254.169.254/latest/meta-data/', 'oauth_address_refused'],
    [`https://user:pass@${MCP_HOST}/about/resource`, 'oauth_address_refused'],
    ['file:///etc/passwd', 'oauth_address_refused'],
  ])('is not asked where it leads inside: %s', async (url, code) => {
    challengeNames(url);
    await expect(begin()).rejects.toMatchObject({ code });
    if (code.startsWith('egress'))
      expect((await world.events()).findLast(({ type }) => type.startsWith('egress.'))).toMatchObject({
        type: expect.stringMatching(/^egress\.(refused|finished)$/) as unknown,
        data: { code },
      });
  });

  it('is not asked where the network is not allowed, which this test allows otherwise', async () => {
    const at = `${MCP_HOST}:443`;
    const strict = await openOAuthWorld({
      ...networkOf(standIn),
      resolve: { [at]: standIn.resolve[at] ?? '' },
      allowNetworks: [],
    });
    challengeNames('https://127.0.0.1/about');
    await expect(strict.grants.begin(strict.server, { redirectUri: REDIRECT })).rejects.toMatchObject({
      code: 'egress_upstream_address_refused',
    });
    await strict.close();
  });

  it('is not asked where an authorization server is inside', async () => {
    standIn.does.instead.set(RESOURCE, (_, res) =>
      res.end(JSON.stringify({ resource: MCP_URL, authorization_servers: ['https://10.1.2.3'] })),
    );
    await expect(begin()).rejects.toMatchObject({ code: 'egress_upstream_address_refused' });
  });

  it('the control: the one that is usual is asked', async () => {
    challengeNames(`https://${MCP_HOST}/about/resource`);
    await begin();
    expect(standIn.asked).toContain(`${MCP_HOST} GET /about/resource`);
  });
});

describe('a redirect', () => {
  it.each([[RESOURCE], [METADATA]])('is followed by nobody: %s', async (where) => {
    const [host] = where.split(' ');
    standIn.does.instead.set(where, (_, res) =>
      res.writeHead(302, { location: `https://${host}/stolen` }).end(),
    );
    const outcome = await begin().then(
      () => 'begun',
      (error: unknown) => error,
    );
    // The description of a server is looked for in its other places then; that of an authorization server has no other here.
    if (where === METADATA) expect(outcome).toMatchObject({ code: 'oauth_not_offered' });
    else expect(standIn.asked).toContain(`${MCP_HOST} GET /.well-known/oauth-protected-resource/v1/mcp`);
    expect(standIn.asked.filter((one) => one.endsWith('/stolen'))).toEqual([]);
  });
});

describe('an answer without an end', () => {
  const piece = Buffer.alloc(64 * 1024, ' ');
  const flood = (sent: { bytes: number }) => (_: unknown, res: ServerResponse) => {
    const more = (): void => {
      while (!res.destroyed && sent.bytes < 100 * 1024 * 1024) {
        sent.bytes += piece.length;
        if (!res.write(piece)) return void res.once('drain', more);
      }
      res.end();
    };
    res.writeHead(200, { 'content-type': 'application/json' });
    more();
  };

  it.each([[RESOURCE], [METADATA], [`${AS_HOST} /register`]])('is not read: %s', async (where) => {
    const sent = { bytes: 0 };
    standIn.does.instead.set(where, flood(sent));
    await expect(begin()).rejects.toMatchObject({ code: 'oauth_answer_too_large' });
    expect(sent.bytes).toBeLessThan(64 * 1024 * 1024);
  });

  it('the control: one that is as long as may be is', async () => {
    const description = JSON.stringify({ resource: MCP_URL, authorization_servers: [ISSUER] });
    standIn.does.instead.set(RESOURCE, (_, res) => res.end(description.padEnd(limits.oauthAnswerBytesMax)));
    await begin();
    standIn.does.instead.set(RESOURCE, (_, res) =>
      res.end(description.padEnd(limits.oauthAnswerBytesMax + 1)),
    );
    await expect(begin()).rejects.toMatchObject({ code: 'oauth_answer_too_large' });
  });

  it('nor is one with two readings', async () => {
    standIn.does.instead.set(RESOURCE, (_, res) =>
      res.end(
        `{"resource":"${MCP_URL}","authorization_servers":["https://evil.test"],"authorization_servers":["${ISSUER}"]}`,
      ),
    );
    await expect(begin()).rejects.toMatchObject({ code: 'oauth_metadata_invalid' });
  });
});
