/**
 * HTTP APIs as tools, with the whole program: added by their documents, called by a command and by an MCP client, answered by
 * a stand-in behind TLS that says what arrived. The key is put in by the data plane; nobody else has it.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiClient, createClient } from '../../src/api/index.ts';
import { socketTransport } from '../../src/main/transport.ts';
import { createTestAuthority } from '../egress/test-authority.ts';
import { makeHome, type Home, type Served } from './harness.ts';

const HOST = 'api.petstore.example';
const KEY = 'pk_live_8Zq3Vw6Xr1Nc5Tb9Mf2L';

const PETSTORE = `
openapi: 3.0.3
info: { title: "Pet Store", version: "1.2" }
servers: [{ url: "https://${HOST}/v1" }]
security: [{ apiKey: [] }]
components:
  securitySchemes: { apiKey: { type: apiKey, in: header, name: X-Api-Key } }
  schemas:
    Pet: { type: object, required: [name], properties: { id: { type: integer, readOnly: true }, name: { type: string }, tags: { type: array, items: { type: string } } } }
paths:
  /pets:
    get:
      operationId: listPets
      summary: List the pets
      tags: [read]
      parameters:
        - { name: limit, in: query, schema: { type: integer } }
        - { name: X-Api-Key, in: header, required: true, schema: { type: string } }
    post:
      operationId: addPet
      tags: [write]
      requestBody: { required: true, content: { application/json: { schema: { $ref: "#/components/schemas/Pet" } } } }
  /pets/{id}:
    get: { operationId: getPet, tags: [read], parameters: [{ name: id, in: path, required: true, schema: { type: string } }] }
  /picture: { get: { operationId: picture, tags: [read] } }
  /large: { get: { operationId: large, tags: [read] } }
  /echo: { get: { operationId: echoKey, tags: [read] } }
`;

const TOOLSPEC = `
schemaVersion: 1
name: shop
version: 0.1.0
baseUrl: https://${HOST}
tools:
  - { name: add_thing, description: Add a thing, method: POST, path: "/things/{kind}", encoding: form, params: [{ name: kind, in: path, type: string, required: true }, { name: title, in: body, type: string }] }
`;

const MANIFEST_V1 = `
schemaVersion: 1
name: shop
version: 0.1.0
source: { repo: example.com/toolpack, tag: v1 }
image: { ref: example.com/toolpack, digest: "sha256:${'0a'.repeat(32)}", entrypoint: /app/server, builder: toolpack }
tier: sealed
entitlements: { egress: [${HOST}] }
credentials: [{ id: shop_token, type: static, provider: shop, inject: { header: Authorization, format: "Token {token}" } }]
tools: [{ name: add_thing, default: true }]
`;

const OPEN = `
schemaVersion: 2
name: open
version: 1.0.0
server: { kind: api, baseUrl: "https://${HOST}/v1", request: true }
egress: [{ host: ${HOST}, methods: [GET], paths: [/v1/pets] }]
credentials: [{ name: KEY, tier: sealed, hosts: [${HOST}], inject: [{ query: key }] }]
`;

interface Seen {
  readonly line: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

interface Result {
  readonly isError?: boolean;
  readonly content: readonly {
    readonly type: string;
    readonly text?: string;
    readonly data?: string;
    readonly uri?: string;
  }[];
  readonly structuredContent?: {
    readonly status?: number;
    readonly body?: unknown;
    readonly error?: { readonly code: string };
  };
}

const seen: Seen[] = [];
let upstream: Server;
let home: Home;
let gateway: Served;

const LARGE = `[${Array.from({ length: 20_000 }, (_, index) => `{"number":${index}}`).join(',')}]`;

function openUpstream(identity: { cert: string; key: string }): Server {
  return createServer(identity, (request, response) => {
    let body = '';
    request.on('data', (piece: Buffer) => {
      body += piece.toString();
    });
    request.on('end', () => {
      seen.push({ line: `${request.method} ${request.url}`, headers: request.headers, body });
      const path = request.url?.split('?')[0];
      if (path === '/v1/picture')
        return response.setHeader('Content-Type', 'image/png').end(Buffer.from([0x89, 1, 2]));
      if (path === '/openapi.yaml') return response.end(PETSTORE);
      if (path === '/moved.yaml')
        return response.writeHead(302, { Location: 'https://elsewhere.example/' }).end();
      response.setHeader('Content-Type', 'application/json');
      if (path === '/v1/large') return response.setHeader('Content-Encoding', 'gzip').end(gzipSync(LARGE));
      if (path === '/v1/echo') return response.end(JSON.stringify({ got: request.headers['x-api-key'] }));
      if (path === '/v1/pets/none') response.statusCode = 404;
      return response
        .setHeader('Link', '</v1/pets?page=2>; rel="next"')
        .end(`{"id": 12345678901234567890, "path": ${JSON.stringify(request.url)}}`);
    });
  });
}

const client = (): ApiClient => createClient(socketTransport(join(home.path, 'sallyport.sock')));

async function call(server: string, tool: string, args: object = {}): Promise<Result> {
  const result = JSON.parse(await client().call(server, tool, JSON.stringify(args), undefined)) as Result;
  return result;
}

beforeAll(async () => {
  const authority = createTestAuthority([HOST]);
  upstream = openUpstream(authority.issue(HOST));
  await new Promise<void>((done) => upstream.listen(0, '127.0.0.1', done));
  const { port } = upstream.address() as AddressInfo;
  home = makeHome(
    `egress: { resolve: { "${HOST}:443": "127.0.0.1:${port}" }, extraCa: [ ./ca.pem ], allowNetworks: [ 127.0.0.0/8 ] }\n`,
  );
  expect((await home.run('init')).code).toBe(0);
  writeFileSync(join(home.path, 'ca.pem'), authority.caPem);
  const files = join(home.path, 'files');
  mkdirSync(files);
  for (const [name, text] of Object.entries({
    'openapi.yaml': PETSTORE,
    'shop.yaml': MANIFEST_V1,
    'shop.toolspec.yaml': TOOLSPEC,
    'open.yaml': OPEN,
  }))
    writeFileSync(join(files, name), text);
  gateway = await home.serve();
  await home.json('server', 'add', join(files, 'openapi.yaml'), '--name', 'petstore');
  await home.json('server', 'add', join(files, 'shop.yaml'));
  await home.json('server', 'add', join(files, 'open.yaml'));
  // What there is can be looked at before there is a key; nothing is sent without it.
  expect(await client().tools('petstore')).toContain('listPets');
  expect((await call('petstore', 'listPets')).structuredContent?.error?.code).toBe(
    'vault_credential_missing',
  );
  expect(seen).toEqual([]);
  await client().setSecret('petstore', 'API_KEY', KEY);
  await client().setSecret('shop', 'SHOP_TOKEN', KEY);
  await client().setSecret('open', 'KEY', KEY);
});

afterAll(async () => {
  expect(await gateway.stop()).toBe(0);
  upstream.close();
  home.remove();
});

describe('an API by its OpenAPI document', () => {
  it('may reach what its operations need, and needs what its requests log in with', async () => {
    const server = await home.json<Record<string, unknown>>('server', 'show', 'petstore');
    expect(server).toMatchObject({
      slug: 'petstore',
      title: 'Pet Store',
      version: '1.2.0',
      address: `https://${HOST}/v1`,
      document: 'openapi.yaml',
      egress: [{ host: HOST, port: 443, protocol: 'https', methods: ['GET', 'POST'], paths: ['/v1'] }],
      secrets: [
        {
          name: 'API_KEY',
          tier: 'sealed',
          hosts: [HOST],
          inject: [{ header: 'X-Api-Key', format: '{token}' }],
        },
      ],
    });
  });

  it('is called with the key in its place, and answers with status, headers and body', async () => {
    const result = await call('petstore', 'listPets', { limit: 5 });
    expect(seen.at(-1)).toMatchObject({
      line: 'GET /v1/pets?limit=5',
      headers: { 'x-api-key': KEY, host: HOST },
    });
    expect(seen.at(-1)?.headers).toMatchObject({
      'user-agent': 'Sallyport',
      accept: expect.stringContaining('application/json'),
    });
    expect(result.content).toEqual([
      { type: 'text', text: 'HTTP 200\ncontent-type: application/json\nlink: </v1/pets?page=2>; rel="next"' },
      { type: 'text', text: '{"id": 12345678901234567890, "path": "/v1/pets?limit=5"}' },
    ]);
    expect(result.structuredContent).toMatchObject({ status: 200, body: { path: '/v1/pets?limit=5' } });
  });

  it('shows its read-only tools until others are chosen', async () => {
    const listed = await fetch(`${gateway.url}/mcp/default`, { method: 'POST' });
    expect(listed.status).toBe(401);
    const token = await home.json<{ token: string }>(
      'token',
      'create',
      '--profile',
      'default',
      '--agent',
      'test',
    );
    const agent = new Client({ name: 'test', version: '1' });
    const transport = new StreamableHTTPClientTransport(new URL(`${gateway.url}/mcp/default`), {
      requestInit: { headers: { Authorization: `Bearer ${token.token}` } },
    });
    await agent.connect(transport);
    const { tools } = await agent.listTools();
    expect(tools.map(({ name }) => name).sort()).toEqual([
      'open__read_answer',
      'open__request',
      'petstore__echoKey',
      'petstore__getPet',
      'petstore__large',
      'petstore__listPets',
      'petstore__picture',
      'petstore__read_answer',
      'shop__add_thing',
    ]);
    expect(
      await agent
        .callTool({ name: 'petstore__addPet', arguments: { name: 'x' } })
        .catch((error: unknown) => String(error)),
    ).toContain('addPet');
    const got = await agent.callTool({ name: 'petstore__getPet', arguments: { id: 'a/b' } });
    expect(seen.at(-1)?.line).toBe('GET /v1/pets/a%2Fb');
    expect(got.isError).not.toBe(true);
    // A long answer is read on as a resource, also where the server is one of several.
    const large = await agent.callTool({ name: 'petstore__large', arguments: {} });
    const { uri } = large.content.find((block) => block.type === 'resource_link') ?? { uri: '' };
    expect(uri).toMatch(/^sallyport-answer:\/\/petstore\/ans_\w+\/2$/);
    const { contents } = await agent.readResource({ uri });
    expect(contents[0]).toMatchObject({ uri, text: LARGE.slice(131_072, 262_144) });
    await agent.close();
  });

  it('sends a body, and says what was wrong with a call or its answer', async () => {
    await call('petstore', 'addPet', { name: 'Rex', tags: ['a'] });
    expect(seen.at(-1)).toMatchObject({ line: 'POST /v1/pets', body: '{"name":"Rex","tags":["a"]}' });
    const count = seen.length;
    expect((await call('petstore', 'getPet', { id: '..' })).structuredContent?.error?.code).toBe(
      'api_argument_path',
    );
    expect((await call('petstore', 'getPet', {})).structuredContent?.error?.code).toBe(
      'api_argument_missing',
    );
    expect(seen).toHaveLength(count);
    expect(await call('petstore', 'getPet', { id: 'none' })).toMatchObject({
      isError: true,
      structuredContent: { status: 404 },
    });
  });

  it('gives pictures as pictures, and long answers page by page', async () => {
    expect((await call('petstore', 'picture')).content[1]).toEqual({
      type: 'image',
      data: 'iQEC',
      mimeType: 'image/png',
    });
    const first = await call('petstore', 'large');
    const { answer, pages } = first.structuredContent as { answer: string; pages: number };
    expect(pages).toBe(3);
    const rest = await Promise.all([2, 3].map((page) => call('petstore', 'read_answer', { answer, page })));
    expect(
      [first.content[1], rest[0]?.content[0], rest[1]?.content[0]].map((block) => block?.text).join(''),
    ).toBe(LARGE);
    expect((await call('petstore', 'read_answer', { answer: 'ans_0', page: 1 })).isError).toBe(true);
  });

  it('has the key taken out of what the API sends back', async () => {
    const result = await call('petstore', 'echoKey');
    expect(seen.at(-1)?.headers['x-api-key']).toBe(KEY);
    expect(JSON.stringify(result)).not.toContain(KEY);
    expect(result.structuredContent?.body).toMatchObject({ got: expect.stringMatching(/.{16,}/) });
  });

  it('is on record: its start, its calls, each use of the key', async () => {
    const lines = (await home.run('audit', 'export')).stdout.trim().split('\n');
    const events = lines.map(
      (line) => JSON.parse(line) as { type: string; server?: string; data: Record<string, unknown> },
    );
    const types = new Set(events.filter(({ server }) => server === 'petstore').map(({ type }) => type));
    for (const type of [
      'server.added',
      'upstream.opened',
      'call.started',
      'credential.used',
      'egress.finished',
      'egress.masked',
    ])
      expect([...types]).toContain(type);
    expect(lines.join('\n')).not.toContain(KEY);

    expect((await home.run('server', 'logs', 'petstore')).stdout).toContain('started');
  });
});

describe('an API by a manifest of the registry and its toolspec', () => {
  it('is called by its form', async () => {
    await call('shop', 'add_thing', { kind: 'toys', title: 'a&b' });
    expect(seen.at(-1)).toMatchObject({
      line: 'POST /things/toys',
      headers: { authorization: `Token ${KEY}`, 'content-type': 'application/x-www-form-urlencoded' },
      body: 'title=a%26b',
    });
  });
});

describe('an API whose document is at an address', () => {
  const manifest = (path: string): string =>
    JSON.stringify({
      schemaVersion: 2,
      name: 'fetched',
      version: '1.0.0',
      server: { kind: 'api', baseUrl: `https://${HOST}/v1`, openapi: `https://${HOST}${path}` },
      egress: [{ host: HOST }],
      credentials: [{ name: 'KEY', tier: 'sealed', hosts: [HOST], inject: [{ query: 'key' }] }],
    });
  const add = (path: string) =>
    client().addServer({ source: 'fetched.json', manifest: manifest(path) }, () => undefined);

  it('has it fetched once, without a key, and not from where it points to', async () => {
    await expect(add('/moved.yaml')).rejects.toMatchObject({
      code: 'api_document_unavailable',
      hint: expect.stringContaining('https://elsewhere.example/'),
    });
    await expect(add('/v1/pets')).rejects.toMatchObject({ code: 'api_document_version' });
    await add('/openapi.yaml');
    expect(seen.at(-1)).toMatchObject({ line: 'GET /openapi.yaml' });
    expect(JSON.stringify(seen.at(-1))).not.toContain(KEY);
    const count = seen.length;
    expect(await client().tools('fetched')).toContain('listPets');
    expect(seen).toHaveLength(count);
  });
});

describe('an API by the tool `request`', () => {
  it('may be asked what its rules allow, and no more', async () => {
    expect(
      (await call('open', 'request', { method: 'GET', path: '/pets/1', query: { a: 'b' }, reason: 'to see' }))
        .structuredContent?.status,
    ).toBe(200);
    expect(seen.at(-1)?.line).toBe(`GET /v1/pets/1?a=b&key=${KEY}`);
    const count = seen.length;
    for (const [args, code] of [
      [{ method: 'GET', path: '/admin' }, 'egress_path_denied'],
      [{ method: 'POST', path: '/pets' }, 'egress_method_denied'],
      [{ method: 'GET', path: '/pets/../admin' }, 'api_argument_path'],
      [{ method: 'GET', path: '/pets%2f..%2f..%2fadmin' }, 'api_argument_path'],
      [{ method: 'GET', path: '/pets', query: { key: 'mine' } }, 'api_request_credential'],
      [{ method: 'GET', path: '/pets', query: { _method: 'DELETE' } }, 'egress_method_denied'],
    ] as const)
      expect((await call('open', 'request', args)).structuredContent?.error?.code, JSON.stringify(args)).toBe(
        code,
      );
    expect(seen).toHaveLength(count);
  });

  it('has the reason of a request on record', async () => {
    const exported = (await home.run('audit', 'export')).stdout;
    expect(exported).toContain('"type":"upstream.reason"');
    expect(exported).toContain('"data":{"method":"GET","path":"/v1/pets/1","reason":"to see"}');
  });

  it('has a change of its key from the next request on', async () => {
    await client().setSecret('open', 'KEY', `${KEY}-new`);
    await call('open', 'request', { method: 'GET', path: '/pets' });
    expect(seen.at(-1)?.line).toBe(`GET /v1/pets?key=${KEY}-new`);
  });

  it('is stopped by a kill', async () => {
    await client().kill('server', 'open', '');
    const count = seen.length;
    await expect(call('open', 'request', { method: 'GET', path: '/pets' })).rejects.toMatchObject({
      code: 'kill_active',
    });
    expect(seen).toHaveLength(count);
  });
});
