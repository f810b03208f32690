/**
 * Published documents of large APIs with the whole program: added by a command, called, and what arrives at a stand-in behind
 * TLS held against the document as it was published.
 */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiClient, createClient } from '../../src/api/index.ts';
import { socketTransport } from '../../src/main/transport.ts';
import { createTestAuthority } from '../egress/test-authority.ts';
import { checkSent, DOCUMENTS, readPublished, sampleArguments, type Sent } from '../http-api/published.ts';
import { type Home, makeHome, type Served } from './harness.ts';

const HOST = 'api.published.example';
/** Every so many operations of each document are called. */
const EVERY = 9;

const arrived: Sent[] = [];
let upstream: Server;
let home: Home;
let gateway: Served;
let client: ApiClient;

beforeAll(async () => {
  const authority = createTestAuthority([HOST]);
  upstream = createServer(authority.issue(HOST), (request, response) => {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (piece: string) => {
      body += piece;
    });
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      arrived.push({
        method,
        target: url,
        contentType: headers['content-type'],
        body: body === '' ? null : body,
      });
      response.setHeader('Content-Type', 'application/json').end('{"ok":true}');
    });
  });
  upstream.listen(0, '127.0.0.1');
  await once(upstream, 'listening');
  const { port } = upstream.address() as AddressInfo;
  home = makeHome(
    `egress: { resolve: { "${HOST}:443": "127.0.0.1:${port}" }, extraCa: [ ./ca.pem ], allowNetworks: [ 127.0.0.0/8 ] }\n`,
  );
  expect((await home.run('init')).code).toBe(0);
  writeFileSync(join(home.path, 'ca.pem'), authority.caPem);
  gateway = await home.serve();
  client = createClient(socketTransport(join(home.path, 'sallyport.sock')));
});

afterAll(async () => {
  await gateway.stop();
  upstream.close();
  home.remove();
});

interface Tool {
  readonly name: string;
  readonly description: string;
}

describe.each(DOCUMENTS)('$name', ({ file, name, operations }) => {
  it('is added by a command, and its calls arrive as the document says', async () => {
    const slug = name.toLowerCase().split(' ', 1)[0] ?? '';
    const added = await home.run('server', 'add', file, '--name', slug, '--base-url', `https://${HOST}`);
    expect(added, added.stderr).toMatchObject({ code: 0 });
    expect(added.stdout).toContain(`  ${operations} tools\n`);
    expect(added.stdout.includes('more tools than most models')).toBe(operations >= 128);
    for (const { name: secret } of (await client.server(slug)).secrets)
      await client.setSecret(slug, secret, `value-of-${secret}-0123456789abcdef`);
    const tools = JSON.parse(await client.tools(slug)) as readonly Tool[];
    const { root } = readPublished(file);
    const chosen = tools.filter((tool, index) => index % EVERY === 0 && tool.name !== 'read_answer');
    for (const tool of chosen) {
      const args = sampleArguments(tool);
      const before = arrived.length;
      const text = await client.call(slug, tool.name, JSON.stringify(args), undefined);
      expect(arrived, `${tool.name}: ${text}`).toHaveLength(before + 1);
      const sent = arrived[before];
      if (sent === undefined) throw new Error('nothing arrived');
      const path = tool.description.split('\n').at(-1)?.split(' ')[1] ?? '';
      checkSent(root, path, args, sent);
      expect(JSON.parse(text)).toMatchObject({ structuredContent: { status: 200, body: { ok: true } } });
    }
    expect(chosen.length).toBeGreaterThan(5);
  });
});
