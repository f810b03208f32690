/**
 * `node wrapper.ts URL`: a client for the suite's OAuth scenarios, made of the whole gateway. It adds the suite's server by
 * a manifest, lists its tools and calls them as an agent would, and when it is told that a login is needed it is the person
 * with the browser. Ends with 0 where the server was used, with 1 where the gateway refused to.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '../../../src/api/index.ts';
import { isAppError, silentLog } from '../../../src/kernel/index.ts';
import { loadConfig } from '../../../src/main/config.ts';
import { createGateway } from '../../../src/main/gateway.ts';
import { initHome } from '../../../src/main/init.ts';

/** Where the suite's authorization servers send browsers back to; nobody listens there. */
const REDIRECT = 'http://127.0.0.1:7802/oauth/callback';
/** The address that the suite's authorization servers know a description of a client by. */
const DOCUMENT = 'https://conformance-test.local/client-metadata.json';
/** How often a person agrees to more before they have enough of it. */
const LOGINS_MAX = 6;
const NEEDS_PERSON: readonly string[] = ['oauth_login_needed', 'oauth_scope_needed'];

const url = new URL(process.argv.at(-1) ?? '');
const context = JSON.parse(process.env['MCP_CONFORMANCE_CONTEXT'] ?? '{}') as {
  readonly client_id?: string;
  readonly client_secret?: string;
};
const folder = mkdtempSync(join(tmpdir(), 'sallyport-conformance-'));
const config = loadConfig({
  SALLYPORT_HOME: join(folder, 'home'),
  SALLYPORT_EGRESS_ALLOW_NETWORKS: '127.0.0.0/8,::1/128',
  SALLYPORT_OAUTH_CLIENT_METADATA_URL: DOCUMENT,
});
await initHome(config);
const gateway = await createGateway(config, silentLog);
const client = createClient(async (request) => gateway.api.fetch(request));

async function logIn(): Promise<void> {
  const { client_id: clientId, client_secret: clientSecret } = context;
  const { authorizationUrl } = await client.beginLogin('it', {
    redirectUri: REDIRECT,
    ...(clientId === undefined ? {} : { clientId }),
    ...(clientSecret === undefined ? {} : { clientSecret }),
    acceptIssuer: true,
  });
  const answer = await fetch(authorizationUrl, { redirect: 'manual' });
  const location = answer.headers.get('location');
  if (location === null) throw new Error(`the authorization server answers ${answer.status}`);
  await client.finishLogin(new URL(location).search.slice(1));
}

/** What an agent wants, with a person beside it. */
async function withPerson<T>(wanted: () => Promise<T>): Promise<T> {
  for (let logins = 0; ; logins += 1) {
    try {
      return await wanted();
    } catch (error) {
      if (!isAppError(error) || !NEEDS_PERSON.includes(error.code) || logins === LOGINS_MAX) throw error;
      await logIn();
    }
  }
}

try {
  const manifest = {
    schemaVersion: 2,
    name: 'it',
    version: '1.0.0',
    server: { kind: 'remote', url: url.href },
    egress: [{ host: url.hostname, port: Number(url.port), protocol: url.protocol.slice(0, -1) }],
  };
  await client.addServer({ source: 'it.json', manifest: JSON.stringify(manifest) }, () => undefined);
  const tools = JSON.parse(await withPerson(() => client.tools('it'))) as { readonly name: string }[];
  await client.setProfile('all', [{ server: 'it', tools: '*' }]);
  for (const { name } of tools) await withPerson(() => client.call('it', name, '{}', 'all'));
} catch (error) {
  const { code, message } = isAppError(error) ? error : { code: 'error', message: String(error) };
  process.stderr.write(`${code}: ${message}\n`);
  process.exitCode = 1;
} finally {
  await gateway.close();
  rmSync(folder, { recursive: true, force: true });
}
