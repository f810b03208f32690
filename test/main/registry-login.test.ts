/** A registry that wants to know who asks: it is told, and the install cell is not. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestAuthority } from '../egress/test-authority.ts';
import { type LocalRegistry, startRegistry } from '../sandbox/local-registry.ts';
import { install, makePackageWorld } from '../sandbox/package-world.ts';

const HOST = 'npm.company.example';
const TOKEN = 'npm_the-real-token-0123456789';
const authority = createTestAuthority([HOST]);
const world = makePackageWorld(() => `https://${HOST}/`);
let registry: LocalRegistry;
/** What each request showed, in order. */
const shown: (string | undefined)[] = [];
const methods: (string | undefined)[] = [];
/** In front of the registry, as the company's would be. */
const front = createServer(authority.issue(HOST), (request, response) => {
  shown.push(request.headers.authorization);
  methods.push(request.method);
  if (request.headers.authorization !== `Bearer ${TOKEN}`) {
    response.writeHead(401, { 'content-type': 'application/json' }).end('{}');
    return;
  }
  void fetch(`${registry.url}${request.url?.replace(/^\/private/, '')}`).then(async (answer) => {
    const body = Buffer.from(await answer.arrayBuffer());
    const type = answer.headers.get('content-type') ?? 'application/octet-stream';
    const text = type.includes('json')
      ? Buffer.from(
          body
            .toString()
            .replaceAll(
              registry.url,
              `https://${HOST}${request.url?.startsWith('/private') === true ? '/private' : ''}`,
            ),
        )
      : body;
    response.writeHead(answer.status, { 'content-type': type }).end(text);
  });
});

beforeAll(async () => {
  registry = await startRegistry();
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
  registry.publish({
    name: '@company/tool',
    version: '1.0.0',
    fields: { scripts: { postinstall: 'env > environment; cat /package/.npmrc >> environment' } },
  });
});
const asked = { HOST, name: '@company/worm', token: '${process.env.SALLYPORT_REGISTRY_LOGIN_0}' };
/** Publishes itself as whoever installs it, as worms in npm's registry have done; then asks for something off the path. */
const WORM = `(async () => {
  const authorization = \`Bearer ${asked.token}\`;
  const ask = (method, path) => fetch('https://${asked.HOST}' + path, { method, headers: { authorization },
    ...(method === 'GET' ? {} : { body: '{}' }) }).then(({ status }) => status, () => 'failed');
  const seen = [];
  for (const method of ['PUT', 'POST', 'DELETE', 'PATCH']) seen.push([method, await ask(method, '/private/${asked.name}')]);
  seen.push(['elsewhere', await ask('GET', '/other/-/whoami')]);
  require('node:fs').writeFileSync('seen.json', JSON.stringify(seen));
})()`;

afterAll(() => {
  front.close();
  registry.close();
  rmSync(world.root, { recursive: true, force: true });
});

const variables = (): Record<string, string> => {
  const { port } = front.address() as AddressInfo; // a TCP listener has one
  writeFileSync(join(world.root, 'ca.pem'), authority.caPem);
  mkdirSync(join(world.root, 'sallyport'), { recursive: true });
  return {
    SALLYPORT_EGRESS_RESOLVE: `${HOST}:443=127.0.0.1:${port}`,
    SALLYPORT_EGRESS_EXTRA_CA: join(world.root, 'ca.pem'),
    COMPANY_TOKEN: TOKEN,
  };
};

it('gets the token of ~/.npmrc, which nothing in the cell could read', async () => {
  writeFileSync(join(world.root, 'home/.npmrc'), `//${HOST}/:_authToken=\${COMPANY_TOKEN}\n`);
  const store = await world.store(join(world.root, 'store'), { variables: variables() });
  const installed = await install(store, 'npm:@company/tool@1.0.0', { allowScripts: true });
  expect(new Set(shown)).toEqual(new Set([`Bearer ${TOKEN}`]));
  const seen = readFileSync(join(installed.dir, 'node_modules/@company/tool/environment'), 'utf8');
  expect(seen).not.toContain(TOKEN);
  expect(seen).toContain('SALLYPORT_REGISTRY_LOGIN_0=slyreg_');
  expect(JSON.stringify(installed)).not.toContain(TOKEN);
});

it('is used to fetch and for nothing else, below its own path, and every use is on record', async () => {
  registry.publish({
    name: '@company/worm',
    version: '1.0.0',
    fields: { scripts: { postinstall: 'node worm.js' } },
    files: { 'worm.js': WORM },
  });
  writeFileSync(join(world.root, 'home/.npmrc'), `//${HOST}/private/:_authToken=\${COMPANY_TOKEN}\n`);
  const store = await world.store(join(world.root, 'private'), {
    variables: { ...variables(), npm_config_registry: `https://${HOST}/private/` },
  });
  const from = { methods: methods.length, events: world.events.length };
  const installed = await install(store, 'npm:@company/worm@1.0.0', { allowScripts: true });
  const seen: unknown = JSON.parse(
    readFileSync(join(installed.dir, 'node_modules/@company/worm/seen.json'), 'utf8'),
  );
  expect(seen).toEqual(['PUT', 'POST', 'DELETE', 'PATCH', 'elsewhere'].map((what) => [what, 403]));
  const arrived = methods.slice(from.methods);
  expect(new Set(arrived)).toEqual(new Set(['GET']));

  const events = world.events.slice(from.events);
  const codes = events.flatMap(({ type, data }) =>
    type === 'egress.refused' || type === 'credential.refused' ? [[type, data['method'], data['code']]] : [],
  );
  expect(codes).toEqual([
    ...['PUT', 'POST', 'DELETE', 'PATCH'].map((method) => ['egress.refused', method, 'egress_method_denied']),
    ['credential.refused', 'GET', 'egress_placeholder_misplaced'],
  ]);
  const server = 'npm:@company/worm@1.0.0';
  const uses = events.filter(({ type }) => type === 'credential.used');
  expect(uses).toHaveLength(arrived.length);
  expect(uses[0]).toMatchObject({
    server,
    actor: { kind: 'cell' },
    data: { name: 'SALLYPORT_REGISTRY_LOGIN_0', purpose: 'inject', for: { method: 'GET', host: HOST } },
  });
  expect(events.filter(({ type }) => type === 'egress.finished')).toHaveLength(arrived.length);
  expect(JSON.stringify(world.events)).not.toContain(TOKEN);
});

it('without one says what the user can do', async () => {
  writeFileSync(join(world.root, 'home/.npmrc'), '');
  const store = await world.store(join(world.root, 'other'), { variables: variables() });
  await expect(install(store, 'npm:@company/tool@1.0.0')).rejects.toMatchObject({
    code: 'package_login_refused',
    kind: 'denied',
  });
});
