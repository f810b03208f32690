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
/** In front of the registry, as the company's would be. */
const front = createServer(authority.issue(HOST), (request, response) => {
  shown.push(request.headers.authorization);
  if (request.headers.authorization !== `Bearer ${TOKEN}`) {
    response.writeHead(401, { 'content-type': 'application/json' }).end('{}');
    return;
  }
  void fetch(`${registry.url}${request.url}`).then(async (answer) => {
    const body = Buffer.from(await answer.arrayBuffer());
    const type = answer.headers.get('content-type') ?? 'application/octet-stream';
    const text = type.includes('json')
      ? Buffer.from(body.toString().replaceAll(registry.url, `https://${HOST}`))
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

it('without one says what the user can do', async () => {
  writeFileSync(join(world.root, 'home/.npmrc'), '');
  const store = await world.store(join(world.root, 'other'), { variables: variables() });
  await expect(install(store, 'npm:@company/tool@1.0.0')).rejects.toMatchObject({
    code: 'package_login_refused',
    kind: 'denied',
  });
});
