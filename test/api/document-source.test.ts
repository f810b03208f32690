/** Adding HTTP APIs: by a document alone, for which a manifest is made, and by a manifest that names one. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { documentBeside } from '../../src/api/index.ts';
import { manifestOf } from '../../src/api/server-views.ts';
import { documentHash } from '../../src/manifest/index.ts';
import { TOOLSPEC, VERSION_1 } from '../manifest/documents.ts';
import { makeWorld, type World } from './world.ts';

let world: World;
beforeEach(async () => {
  world = await makeWorld();
});
afterEach(() => world.close());

const quiet = (): void => undefined;

const openApi = (more: object, over: object = {}): string =>
  JSON.stringify({
    openapi: '3.1.0',
    info: { title: 'Shop API', version: 'v3.7-beta' },
    servers: [
      { url: '/relative' },
      { url: 'https://{region}.shop.example/v1/', variables: { region: { default: 'eu' } } },
    ],
    paths: { '/a': { get: { tags: ['x'] }, delete: { tags: ['y'] } } },
    ...more,
    ...over,
  });

/** Adds it and gives the manifest that was made. */
async function added(text: string, more: object = {}) {
  const { slug } = await world.client.addServer({ source: 'some/shop.json', manifest: text, ...more }, quiet);
  const row = await world.services.store.servers.findBySlug(world.services.workspace, slug);
  if (row === null) throw new Error('it is not there');
  return {
    row,
    manifest: manifestOf(row),
    document: await world.services.store.documents.find(world.services.workspace, row.id),
  };
}

const refused = (text: string, more: object = {}) =>
  world.client.addServer({ source: 'shop.json', manifest: text, ...more }, quiet).then(
    () => 'added',
    (error: { code?: string }) => error.code,
  );

describe('an OpenAPI document', () => {
  it('becomes a manifest that allows what its operations need, and is kept as it was', async () => {
    const text = openApi({});
    const { manifest, document, row } = await added(text);
    expect(manifest).toEqual({
      schemaVersion: 2,
      name: 'shop-api',
      version: '3.7.0',
      title: 'Shop API',
      server: { kind: 'api', baseUrl: 'https://eu.shop.example/v1', openapi: 'shop.json' },
      egress: [
        { host: 'eu.shop.example', port: 443, protocol: 'https', methods: ['GET', 'DELETE'], paths: ['/v1'] },
      ],
      credentials: [],
    });
    expect(document).toEqual({ server: row.id, hash: documentHash(text), text });
    const recorded: unknown[] = [];
    for await (const event of world.services.audit.export(world.services.workspace)) recorded.push(event);
    expect(recorded).toContainEqual(
      expect.objectContaining({
        type: 'server.added',
        data: expect.objectContaining({ document: documentHash(text) }),
      }),
    );
  });

  it.each([
    [
      { type: 'apiKey', in: 'header', name: 'X-Key' },
      [['MY_KEY_AUTH', { header: 'X-Key', format: '{token}' }]],
    ],
    [{ type: 'apiKey', in: 'query', name: 'key' }, [['MY_KEY_AUTH', { query: 'key' }]]],
    [{ type: 'apiKey', in: 'cookie', name: 'sid' }, [['MY_KEY_AUTH', { cookie: 'sid' }]]],
    [
      { type: 'http', scheme: 'Bearer' },
      [['MY_KEY_AUTH', { header: 'Authorization', format: 'Bearer {token}' }]],
    ],
    [{ type: 'oauth2', flows: {} }, [['MY_KEY_AUTH', { header: 'Authorization', format: 'Bearer {token}' }]]],
    [
      { type: 'http', scheme: 'basic' },
      [
        ['MY_KEY_AUTH_USER', { basic: 'user' }],
        ['MY_KEY_AUTH_PASSWORD', { basic: 'password' }],
      ],
    ],
    [{ type: 'mutualTLS' }, []],
  ])('says by %j what its requests log in with', async (scheme, credentials) => {
    const { manifest } = await added(
      openApi({
        components: { securitySchemes: { 'myKey-auth': scheme } },
        security: [{ 'myKey-auth': [] }],
      }),
    );
    expect(manifest.credentials.map(({ name, inject }) => [name, ...inject])).toEqual(credentials);
    for (const { required, hosts, tier } of manifest.credentials)
      expect([required, hosts, tier]).toEqual([true, ['eu.shop.example'], 'sealed']);
  });

  it('takes the first login that is supported as a whole, and may be called without one where the document says so', async () => {
    const components = {
      securitySchemes: {
        tls: { type: 'mutualTLS' },
        a: { type: 'apiKey', in: 'header', name: 'A' },
        b: { type: 'apiKey', in: 'header', name: 'B' },
      },
    };
    const { manifest } = await added(
      openApi({ components, security: [{ a: [], tls: [] }, { a: [], b: [] }, {}] }),
    );
    expect(manifest.credentials.map(({ name, required }) => [name, required])).toEqual([
      ['A', false],
      ['B', false],
    ]);
  });

  it('says where the API is, or is told', async () => {
    expect(await refused(openApi({ servers: [{ url: '/v1' }] }))).toBe('api_base_needed');
    expect(await refused(openApi({}), { baseUrl: 'https://user@api.example' })).toBe('api_base_invalid');
    const { manifest } = await added(openApi({}), { baseUrl: 'https://api.example:8443', name: 'mine' });
    expect([manifest.name, manifest.egress[0]?.host, manifest.egress[0]?.port]).toEqual([
      'mine',
      'api.example',
      8443,
    ]);
  });

  it('is cut by tag, and refused where nothing is left of it', async () => {
    const { manifest } = await added(openApi({}), { tags: ['x'] });
    expect(manifest.server).toMatchObject({ operations: { tags: ['x'] } });
    expect(await refused(openApi({}), { tags: ['z'], name: 'other' })).toBe('api_document_empty');
    expect(await refused('openapi: 3.1.0\npaths: [')).toBe('api_document_malformed');
    expect(await world.client.servers()).toHaveLength(1);
  });
});

describe('a manifest', () => {
  const manifest = (server: object): string =>
    JSON.stringify({
      schemaVersion: 2,
      name: 'shop',
      version: '1.0.0',
      server: { kind: 'api', baseUrl: 'https://api.example', ...server },
      egress: [{ host: 'api.example' }],
    });

  it('names the document that is to be sent with it', async () => {
    expect(documentBeside(manifest({ openapi: 'a.json' }), 'dir/m.json')).toBe('a.json');
    expect(documentBeside(manifest({ toolspec: 'b.yaml' }), 'm.json')).toBe('b.yaml');
    expect(documentBeside(manifest({ openapi: 'https://a.example/b.json' }), 'm.json')).toBeNull();
    expect(documentBeside(manifest({}), 'm.json')).toBeNull();
    expect(documentBeside(openApi({}), 'm.json')).toBeNull();
    expect(documentBeside(VERSION_1, 'dir/1.0.0.yaml')).toBe('1.0.0.toolspec.yaml');
    expect(documentBeside(VERSION_1.replace('toolpack', 'node'), 'dir/1.0.0.yaml')).toBeNull();
  });

  it('is added with it, and not without', async () => {
    expect(await refused(manifest({ openapi: 'a.json' }))).toBe('api_document_needed');
    expect(await refused(manifest({ openapi: 'a.json' }), { documents: { 'a.json': '{}' } })).toBe(
      'api_document_version',
    );
    expect(await refused(manifest({ toolspec: 'a.yaml' }), { documents: { 'a.yaml': 'tools: 1' } })).toBe(
      'api_document_malformed',
    );
    const { document } = await added(manifest({ openapi: 'a.json' }), {
      documents: { 'a.json': openApi({}) },
    });
    expect(document?.text).toBe(openApi({}));
  });

  it('takes no option that nothing would come of', async () => {
    expect(await refused(manifest({}), { baseUrl: 'https://api.example' })).toBe('server_option_unsupported');
    expect(await refused(manifest({}), { env: { A: '1' } })).toBe('server_option_unsupported');
    expect(await refused(openApi({}), { allowScripts: true })).toBe('server_option_unsupported');
    expect(await refused(VERSION_1, { tags: ['x'] })).toBe('server_option_unsupported');
  });

  it('has its document fetched from the address that it names, once', async () => {
    const by = manifest({ openapi: 'https://a.example/b.json' });
    expect(await refused(by)).toBe('api_document_unavailable');
    const asked: string[] = [];
    world.documents.fetch = async (address, server) => {
      asked.push(`${server} ${address}`);
      return openApi({});
    };
    expect((await added(by, { name: 'mine' })).document?.hash).toBe(documentHash(openApi({})));
    expect(asked).toEqual(['mine https://a.example/b.json']);
    world.documents.fetch = async () => '<html>';
    expect(await refused(by, { name: 'other' })).toBe('api_document_malformed');
  });

  it('needs no document for the tool `request`', async () => {
    expect((await added(manifest({}))).document).toBeNull();
  });
});

describe('a toolspec', () => {
  it('becomes a manifest for its hosts', async () => {
    const { manifest, document } = await added(TOOLSPEC);
    expect(manifest.server).toMatchObject({ kind: 'api', toolspec: 'shop.json' });
    expect(manifest.egress.every(({ port, protocol }) => port === 443 && protocol === 'https')).toBe(true);
    expect(document?.text).toBe(TOOLSPEC);
  });
});
