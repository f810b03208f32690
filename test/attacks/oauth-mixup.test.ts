/**
 * Whoever runs a server, or stands in between, would have a person's token: by sending the login elsewhere, by answering
 * in another's name, or by naming another server as the one that the token is for.
 */
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { parseManifest } from '../../src/manifest/index.ts';
import { GRANT_SLOTS } from '../../src/oauth/index.ts';
import { AS_HOST, ISSUER, MCP_HOST, MCP_URL, openStandIn, type StandIn } from '../oauth/stand-in.ts';
import { logIn, networkOf, type OAuthWorld, openOAuthWorld, REDIRECT, refusal } from '../oauth/world.ts';

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
  await world.grants.forget(world.server);
  for (const seen of [standIn.asked, standIn.faults]) seen.length = 0;
  for (const tokens of [standIn.valid, standIn.refreshes]) tokens.clear();
});

const tokenRequests = (): number => standIn.asked.filter((one) => one.endsWith('POST /token')).length;
const begin = (): Promise<{ authorizationUrl: string }> =>
  world.grants.begin(world.server, { redirectUri: REDIRECT });
const say = (at: string, document: object): void =>
  void standIn.does.instead.set(at, (_, res) => res.end(JSON.stringify(document)));
const resourceSays = (over: object): void =>
  say(`${MCP_HOST} /about/resource`, { resource: MCP_URL, authorization_servers: [ISSUER], ...over });
const METADATA = `${AS_HOST} /.well-known/oauth-authorization-server/tenant`;
const serverSays = (over: object): void =>
  say(METADATA, {
    issuer: ISSUER,
    authorization_endpoint: `https://${AS_HOST}/authorize?tenant=1`,
    token_endpoint: `https://${AS_HOST}/token`,
    registration_endpoint: `https://${AS_HOST}/register`,
    code_challenge_methods_supported: ['S256'],
    ...over,
  });

describe('a code for one authorization server', () => {
  it('is not redeemed when the answer is of another', async () => {
    const query = (await standIn.agree((await begin()).authorizationUrl)).searchParams;
    query.set('iss', 'https://evil.test');
    await expect(world.grants.finish(query)).rejects.toMatchObject({ code: 'oauth_issuer_mismatch' });
    expect(tokenRequests()).toBe(0);
    expect((await world.events()).at(-1)).toMatchObject({
      type: 'grant.refused',
      data: { reason: 'oauth_issuer_mismatch', issuer: ISSUER },
    });
    // And the login that it was for is over: the right answer comes too late.
    query.set('iss', ISSUER);
    await expect(world.grants.finish(query)).rejects.toMatchObject({ code: 'oauth_state_unknown' });
    expect(tokenRequests()).toBe(0);
  });

  it('is not redeemed twice, nor for a login that it does not belong to', async () => {
    const [one, other] = [await begin(), await begin()];
    const query = (await standIn.agree(one.authorizationUrl)).searchParams;
    query.set('state', new URL(other.authorizationUrl).searchParams.get('state') ?? '');
    // The proof key of the other login does not fit the code of this one.
    await expect(world.grants.finish(query)).rejects.toMatchObject({ code: 'oauth_token_refused' });
    expect(standIn.valid.size).toBe(0);
  });

  it('the control: the same answer as it came is redeemed', async () => {
    await logIn(world, standIn);
    expect(tokenRequests()).toBe(1);
    expect(await world.ask()).toMatchObject({ status: 200 });
  });
});

describe('a server', () => {
  it('that says it is another gets no token for the other', async () => {
    resourceSays({ resource: 'https://bank.login.test/mcp' });
    await expect(begin()).rejects.toMatchObject({ code: 'oauth_resource_mismatch' });
    resourceSays({});
    await begin();
    expect(standIn.faults).toEqual([]);
  });

  it('cannot let an authorization server speak for another', async () => {
    serverSays({ issuer: 'https://evil.test' });
    await expect(begin()).rejects.toMatchObject({ code: 'oauth_issuer_mismatch' });
    serverSays({});
    await begin();
  });

  it('cannot send a person to a page that is a script, or unprotected', async () => {
    for (const authorization_endpoint of ['javascript:alert(1)', `http://${AS_HOST}/authorize`]) {
      serverSays({ authorization_endpoint });
      await expect(begin()).rejects.toMatchObject({ code: 'oauth_address_refused' });
    }
  });

  it('cannot send a person to a page of their own machine or network, who would be let in there', async () => {
    for (const host of [
      '127.0.0.1:7800',
      'localhost',
      'x.localhost',
      '192.168.1.1',
      '[::1]',
      '0x7f.1',
      '0.0.0.0',
    ]) {
      serverSays({ authorization_endpoint: `https://${host}/reset` });
      await expect(begin(), host).rejects.toMatchObject({ code: 'oauth_address_refused' });
    }
    serverSays({ authorization_endpoint: 'http://127.0.0.1:7800/' });
    await expect(begin()).rejects.toMatchObject({ code: 'oauth_address_refused' });
    serverSays({ authorization_endpoint: 'https://93.184.216.34/authorize' });
    await begin();
  });

  it('cannot hide in its name what it is not', async () => {
    for (const issuer of [`https://${AS_HOST}/\u001b[2Jtenant`, `https://as.login\n.test/tenant`]) {
      resourceSays({ authorization_servers: [issuer] });
      await expect(begin(), issuer).rejects.toMatchObject({ code: 'oauth_address_refused' });
    }
    resourceSays({});
    await begin();
  });

  it('cannot name the slots of a login as its own credentials, and have the refresh token sent to itself', () => {
    const manifest = (name: string): string =>
      JSON.stringify({
        schemaVersion: 2,
        name: 'it',
        version: '1.0.0',
        server: { kind: 'remote', url: MCP_URL },
        egress: [{ host: MCP_HOST }],
        credentials: [{ name, hosts: [MCP_HOST], inject: [{ header: 'X-Mine', format: '{token}' }] }],
      });
    for (const slot of GRANT_SLOTS)
      expect(parseManifest(manifest(slot), { file: 'it' }).errors.map(({ code }) => code)).toEqual([
        'manifest_credential_reserved',
      ]);
    expect(parseManifest(manifest('OAUTH_TOKEN'), { file: 'it' }).errors).toEqual([]);
  });

  it('cannot have proof keys left out', async () => {
    serverSays({ code_challenge_methods_supported: undefined });
    await expect(begin()).rejects.toMatchObject({ code: 'oauth_metadata_invalid' });
  });

  it('cannot move its login to another authorization server unnoticed', async () => {
    await logIn(world, standIn);
    const moved = `https://${AS_HOST}/elsewhere`;
    resourceSays({ authorization_servers: [moved] });
    say(`${AS_HOST} /.well-known/oauth-authorization-server/elsewhere`, {
      issuer: moved,
      authorization_endpoint: `https://${AS_HOST}/authorize?tenant=1`,
      token_endpoint: `https://${AS_HOST}/token`,
      registration_endpoint: `https://${AS_HOST}/register`,
      code_challenge_methods_supported: ['S256'],
    });
    await expect(begin()).rejects.toMatchObject({ code: 'oauth_issuer_changed' });
    await world.grants.begin(world.server, { redirectUri: REDIRECT, acceptIssuer: true });
    // What is renewed meanwhile is renewed where it was granted.
    standIn.expire();
    standIn.asked.length = 0;
    const { challenge } = await world.ask();
    await world.grants.challenged(world.server, refusal(401, challenge));
    expect(standIn.asked.filter((one) => one.startsWith(AS_HOST))).toEqual(
      standIn.asked.includes(`${AS_HOST} POST /token`) ? [`${AS_HOST} POST /token`] : [],
    );
  });
});

describe('tokens', () => {
  let thief: Server;
  afterEach(() => thief.close());

  it('that a token endpoint redirects go nowhere', async () => {
    const stolen: string[] = [];
    thief = createServer((req, res) => {
      stolen.push(String(req.url));
      res.end('{}');
    });
    await new Promise<void>((done) => thief.listen(0, '127.0.0.1', done));
    await logIn(world, standIn);
    const { port } = thief.address() as AddressInfo; // it listens on TCP
    standIn.does.instead.set(`${AS_HOST} /token`, (_, res) =>
      res.writeHead(307, { location: `https://127.0.0.1:${port}/` }).end(),
    );
    const query = (await standIn.agree((await begin()).authorizationUrl)).searchParams;
    await expect(world.grants.finish(query)).rejects.toMatchObject({ code: 'oauth_token_refused' });
    expect(stolen).toEqual([]);
  });
});
