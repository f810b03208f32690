/** The resources of a whole profile: the same address means the same to every client, whatever the servers list. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AppError } from '../../src/kernel/index.ts';
import { ProfileResources } from '../../src/mcp/endpoint/profile-resources.ts';
import { UriPattern } from '../../src/mcp/protocol/uri-pattern.ts';
import { type Harness, type Parsed, principal, startHarness, type TestClient } from './harness.ts';
import { InProcessServer } from './in-process.ts';

const profile = (...slugs: readonly string[]): ProfileResources => {
  const resources = new ProfileResources();
  resources.ordered(
    slugs.map((slug) => ({ slug, title: null, tools: null, defaultTools: null, callSeconds: null })),
  );
  return resources;
};

describe('who a URI belongs to', () => {
  it('does not depend on who listed first', () => {
    for (const order of [
      ['a', 'b', 'c'],
      ['c', 'b', 'a'],
      ['b', 'a', 'c'],
    ]) {
      const resources = profile('a', 'b', 'c');
      for (const slug of order) {
        resources.listedUris(slug, 'session', ['x://same', `x://${slug}`]);
        resources.listedTemplates(slug, 'session', ['t://{id}', `t-${slug}://{id}`]);
      }
      expect(['a', 'b', 'c'].map((slug) => resources.exposedUri(slug, 'x://same'))).toEqual([
        'x://same',
        'sallyport://b/x%3A%2F%2Fsame',
        'sallyport://c/x%3A%2F%2Fsame',
      ]);
      expect(['a', 'b', 'c'].map((slug) => resources.exposedTemplate(slug, 't://{id}'))).toEqual([
        't://{id}',
        'sallyport://b/t://{id}',
        'sallyport://c/t://{id}',
      ]);
      expect(resources.exposedTemplate('c', 't-c://{id}')).toBe('t-c://{id}');
      expect(resources.find('x://same')).toEqual({ slug: 'a', uri: 'x://same' });
      expect(resources.find('x://c')).toEqual({ slug: 'c', uri: 'x://c' });
      expect(resources.find('t://7')).toEqual({ slug: 'a', uri: 't://7' });
      expect(resources.find('sallyport://c/t://7%2F8')).toEqual({ slug: 'c', uri: 't://7%2F8' });
    }
  });

  it('is whoever lists it before whoever has a template for it', () => {
    const resources = profile('a', 'b');
    resources.listedTemplates('a', 'session', ['{+anything}']);
    resources.listedUris('b', 'session', ['x://1']);
    resources.listedTemplates('b', 'session', ['x://{id}']);
    expect(resources.find('x://1')).toEqual({ slug: 'b', uri: 'x://1' });
    expect(resources.find('x://2')).toEqual({ slug: 'a', uri: 'x://2' });
    expect(resources.exposedTemplate('b', 'x://{id}')).toBe('sallyport://b/x://{id}');
  });

  it('changes with the profile and with what is listed', () => {
    const resources = profile('a', 'b');
    resources.listedUris('a', 'session', ['x://1']);
    resources.listedUris('b', 'session', ['x://1']);
    resources.listedUris('a', 'session', []);
    expect(resources.find('x://1')?.slug).toBe('b');
    resources.listedUris('a', 'session', ['x://1']);
    resources.ordered([{ slug: 'b', title: null, tools: null, defaultTools: null, callSeconds: null }]);
    expect(resources.find('x://1')?.slug).toBe('b');
  });

  it('is never said by a server in the name of another', () => {
    const resources = profile('a', 'b');
    resources.listedUris('a', 'session', ['sallyport://b/x']);
    resources.listedTemplates('a', 'session', ['sallyport://b/{id}']);
    expect(resources.exposedUri('a', 'sallyport://b/x')).toBe('sallyport://a/sallyport%3A%2F%2Fb%2Fx');
    expect(resources.exposedTemplate('a', 'sallyport://b/{id}')).toBe('sallyport://a/sallyport://b/{id}');
    expect(resources.find('sallyport://a/sallyport%3A%2F%2Fb%2Fx')).toEqual({
      slug: 'a',
      uri: 'sallyport://b/x',
    });
  });

  it('is the only one that has resources, for what nobody lists, once all have said', () => {
    const resources = profile('a', 'b');
    resources.listedUris('b', 'session', []);
    resources.listedTemplates('b', 'session', []);
    expect(resources.find('y://1')).toBeNull();
    resources.hasNone('a', 'session');
    expect(resources.find('y://1')).toEqual({ slug: 'b', uri: 'y://1' });
    expect(resources.known('b', 'y://1')).toBe('y://1');
    resources.listedUris('a', 'session', ['z://1']);
    expect(resources.find('y://1')).toBeNull();
    expect(resources.known('b', 'y://1')).toBe('sallyport://b/y%3A%2F%2F1');
  });

  it('is that one too where clients of the other kind have asked it for less', () => {
    const resources = profile('a', 'b');
    resources.hasNone('a', 'stateless');
    resources.listedUris('b', 'stateless', []);
    expect(resources.find('y://1')).toBeNull();
    resources.listedTemplates('b', 'stateless', []);
    resources.listedUris('b', 'session', ['x://1']);
    expect(resources.find('y://1')).toEqual({ slug: 'b', uri: 'y://1' });
  });

  it('is said by the URI itself where there are more than are remembered', () => {
    const resources = profile('a', 'b');
    const long = `x://${'y'.repeat(5 * 1024 * 1024)}`;
    resources.listedUris('a', 'session', ['x://1', long]);
    expect(resources.exposedUri('a', 'x://1')).toBe('x://1');
    expect(resources.find(resources.exposedUri('a', long))).toEqual({ slug: 'a', uri: long });
    expect(resources.find(long)).toBeNull();
    const templates = Array.from({ length: 201 }, (_none, index) => `t${index}://{id}`);
    resources.listedTemplates('a', 'session', templates);
    expect(resources.exposedTemplate('a', 't199://{id}')).toBe('t199://{id}');
    expect(resources.exposedTemplate('a', 't200://{id}')).toBe('sallyport://a/t200://{id}');
  });

  it('comes back as the server has it, for any URI', () => {
    const resources = profile('a', 'b');
    fc.assert(
      fc.property(fc.webUrl({ withFragments: true, withQueryParameters: true }), (uri) => {
        resources.listedUris('a', 'session', [uri]);
        resources.listedUris('b', 'session', [uri]);
        expect(resources.find(resources.exposedUri('b', uri))).toEqual({ slug: 'b', uri });
      }),
    );
  });
});

describe('two templates', () => {
  it.each([
    ['a://{x}', 'a://{y}', true],
    ['a://{x}', 'b://{x}', false],
    ['a://{x}/1', 'a://{x}/2', false],
    ['a://{x}', 'a://b/{c}/d', true],
    ['{+any}', 'a://{x}', true],
    ['a://b', 'a://{x}', true],
    ['a://b', 'a://c', false],
    ['a://{x}/b', 'a://b', false],
    ['a://{x}/b/{y}', 'a://c/{z}/d', true],
  ])('%s and %s: %s', (one, other, expected) => {
    expect(new UriPattern(one).overlaps(new UriPattern(other))).toBe(expected);
    expect(new UriPattern(other).overlaps(new UriPattern(one))).toBe(expected);
  });

  it('that match one URI overlap, whatever they are', () => {
    const template = fc.string({ unit: fc.constantFrom('a', 'b', '/', '{x}'), maxLength: 8 });
    const uri = fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 8 });
    fc.assert(
      fc.property(template, template, uri, (one, other, text) => {
        const [a, b] = [new UriPattern(one), new UriPattern(other)];
        if (a.matches(text) && b.matches(text)) expect(a.overlaps(b)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('at the endpoint of a profile', () => {
  const KEY = 'io.modelcontextprotocol/';
  const _meta = { [`${KEY}protocolVersion`]: '2026-07-28', [`${KEY}clientCapabilities`]: {} };
  const store =
    (name: string, templates: readonly string[] = []) =>
    (method: string, params: Parsed): object | undefined => {
      switch (method) {
        case 'tools/list':
          return { tools: [] };
        case 'resources/list':
          return { resources: [{ uri: 'shared://x', name }] };
        case 'resources/templates/list':
          return { resourceTemplates: templates.map((uriTemplate) => ({ uriTemplate, name })) };
        case 'resources/read':
          return { contents: [{ uri: params['uri'], text: name }, { uri: 'shared://part' }] };
        case 'resources/subscribe':
        case 'resources/unsubscribe':
          return {};
        case 'completion/complete':
          return { completion: { values: [name, JSON.stringify(params['ref'])] } };
        default:
          return undefined;
      }
    };
  const TEMPLATE = 'doc://{+path}';
  const able = { tools: {}, prompts: {}, resources: { subscribe: true, listChanged: true } };
  const first = (): InProcessServer => new InProcessServer(store('first', [TEMPLATE]), able);
  const second = (): InProcessServer =>
    new InProcessServer(store('second', [TEMPLATE, 'doc://logs/{day}']), able);

  let harness: Harness;
  let servers: { one: InProcessServer; two: InProcessServer };
  beforeEach(async () => {
    servers = { one: first(), two: second() };
    harness = await startHarness({ default: { one: servers.one.server, two: servers.two.server } });
  });
  afterEach(() => harness.close());

  const session = async (who = 'tok_1'): Promise<TestClient> => {
    const client = harness.stdio(principal(who, 'default'), { profile: 'default' });
    await client.initialize();
    return client;
  };
  let nextId = 1;
  const ask = (client: TestClient, method: string, params: object = {}): Promise<Parsed> =>
    client.request((nextId += 1), method, params);
  const uris = (answer: Parsed): string[] =>
    (answer as { result: { resources: { uri: string }[] } }).result.resources.map(({ uri }) => uri);
  const QUALIFIED = 'sallyport://two/shared%3A%2F%2Fx';

  it('is the same in every session, also where the first server was not there at first', async () => {
    servers.one.failure = new AppError('upstream_exited', 'gone', { kind: 'unavailable' });
    const early = await session();
    expect(uris(await ask(early, 'resources/list'))).toEqual(['shared://x']);
    servers.one.failure = null;
    for (const client of [await session(), early, await session('tok_2')])
      expect(uris(await ask(client, 'resources/list'))).toEqual(['shared://x', QUALIFIED]);
    const late = await session();
    for (const client of [late, early]) {
      expect(await ask(client, 'resources/read', { uri: 'shared://x' })).toMatchObject({
        result: { contents: [{ text: 'first' }, {}] },
      });
    }
    servers.one.failure = new AppError('upstream_exited', 'gone', { kind: 'unavailable' });
    servers.one.stop();
    await expect.poll(() => harness.front.activity('rmt_one' as never), { timeout: 10_000 }).toBeNull();
    // Nobody takes its place.
    expect(await ask(late, 'resources/read', { uri: 'shared://x' })).toMatchObject({
      error: { data: { code: 'upstream_exited' } },
    });
    expect(uris(await ask(late, 'resources/list'))).toEqual([QUALIFIED]);
  });

  it('needs no list of a client without a session, but where nothing is known', async () => {
    const read = async (uri: string): Promise<string> => {
      const params = { uri, _meta };
      const answer = await fetch(`${harness.url}/mcp/default`, {
        method: 'POST',
        headers: {
          authorization: 'Bearer good',
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          'mcp-protocol-version': '2026-07-28',
          'mcp-method': 'resources/read',
          'mcp-name': uri,
        },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'resources/read', params }),
      });
      return answer.text();
    };
    const lists = (): number => servers.one.seen.filter((line) => line.includes('/list')).length;
    expect(await read('shared://x')).toContain('first');
    const before = lists();
    expect(before).toBe(2);
    expect(await read('shared://x')).toContain('first');
    expect(await read(QUALIFIED)).toContain('second');
    expect(await read('doc://a/b')).toContain('first');
    expect(lists()).toBe(before);
  });

  it('asks no server again for an address that none of them lists, until one says that its lists are others', async () => {
    const lists = ({ seen }: InProcessServer): number => seen.filter((line) => line.includes('/list')).length;
    const unknown = async (client: TestClient, uri: string): Promise<void> => {
      const answer = await ask(client, 'resources/read', { uri });
      expect(answer).toMatchObject({ error: { data: { code: 'mcp_resource_unknown' } } });
    };
    const [one, other] = [await session(), await session('tok_2')];
    await Promise.all(['a://1', 'a://2', 'a://3'].map((uri) => unknown(one, uri)));
    await unknown(other, 'a://4');
    expect([lists(servers.one), lists(servers.two)]).toEqual([2, 2]);
    servers.two.send({ method: 'notifications/resources/list_changed' });
    await one.line(({ method }) => method === 'notifications/resources/list_changed');
    await unknown(one, 'a://1');
    await unknown(other, 'a://2');
    expect([lists(servers.one), lists(servers.two)]).toEqual([2, 4]);
    // One that has ended is another when it is there again.
    servers.one.stop();
    await expect.poll(() => harness.front.activity('rmt_one' as never), { timeout: 10_000 }).toBeNull();
    await unknown(one, 'a://1');
    expect([lists(servers.one), lists(servers.two)]).toEqual([4, 4]);
    servers.one.failure = new AppError('upstream_exited', 'gone', { kind: 'unavailable' });
    servers.one.stop();
    await expect.poll(() => harness.front.activity('rmt_one' as never), { timeout: 10_000 }).toBeNull();
    const { starts } = servers.one;
    await unknown(one, 'a://1');
    const tried = servers.one.starts;
    expect(tried).toBeGreaterThan(starts);
    await unknown(one, 'a://2');
    expect(servers.one.starts).toBe(tried);
  });

  it('asks for one client whom it could not ask for another, and again where the server runs since', async () => {
    const read = async (client: TestClient, uri: string): Promise<unknown> => {
      const { error } = (await ask(client, 'resources/read', { uri })) as { error?: { data: unknown } };
      return error?.data;
    };
    const [one, other] = [await session(), await session('tok_2')];
    servers.two.failure = new AppError('upstream_exited', 'gone', { kind: 'unavailable' });
    expect(await read(one, 'only://two')).toMatchObject({ code: 'mcp_resource_unknown' });
    const { starts } = servers.two;
    expect(await read(other, 'only://two')).toMatchObject({ code: 'mcp_resource_unknown' });
    expect(servers.two.starts).toBeGreaterThan(starts);
    servers.two.failure = null;
    const lists = (): number => servers.two.seen.filter((line) => line.includes('/list')).length;
    expect([await read(one, 'only://two'), lists()]).toMatchObject([{ code: 'mcp_resource_unknown' }, 0]);
    await ask(one, 'resources/read', { uri: QUALIFIED });
    expect([await read(one, 'only://two'), lists()]).toMatchObject([{ code: 'mcp_resource_unknown' }, 2]);
  });

  it('keeps the templates of two servers apart where both could mean the same URI', async () => {
    const client = await session();
    const { result } = (await ask(client, 'resources/templates/list')) as {
      result: { resourceTemplates: { uriTemplate: string }[] };
    };
    expect(result.resourceTemplates.map(({ uriTemplate }) => uriTemplate)).toEqual([
      TEMPLATE,
      `sallyport://two/${TEMPLATE}`,
      'sallyport://two/doc://logs/{day}',
    ]);
    await ask(client, 'resources/read', { uri: 'doc://logs/1' });
    await ask(client, 'resources/read', { uri: 'sallyport://two/doc://logs/1%2F2?a=b#c' });
    expect(servers.one.seen).toContain('resources/read doc://logs/1');
    expect(servers.two.seen.filter((line) => line.includes('read'))).toEqual([
      'resources/read doc://logs/1%2F2?a=b#c',
    ]);
    const complete = (uri: string): Promise<Parsed> =>
      ask(client, 'completion/complete', {
        ref: { type: 'ref/resource', uri },
        argument: { name: 'path', value: '' },
      });
    const own = JSON.stringify({ type: 'ref/resource', uri: TEMPLATE });
    expect(await complete(TEMPLATE)).toMatchObject({ result: { completion: { values: ['first', own] } } });
    expect(await complete(`sallyport://two/${TEMPLATE}`)).toMatchObject({
      result: { completion: { values: ['second', own] } },
    });
  });

  it('says of contents and of updates which server they are of', async () => {
    const client = await session();
    await ask(client, 'resources/list');
    expect(await ask(client, 'resources/read', { uri: QUALIFIED })).toMatchObject({
      result: { contents: [{ uri: QUALIFIED }, { uri: 'sallyport://two/shared%3A%2F%2Fpart' }] },
    });
    expect(await ask(client, 'resources/read', { uri: 'shared://x' })).toMatchObject({
      result: { contents: [{ uri: 'shared://x' }, { uri: 'shared://part' }] },
    });
    for (const uri of ['shared://x', QUALIFIED]) await ask(client, 'resources/subscribe', { uri });
    const update = { method: 'notifications/resources/updated', params: { uri: 'shared://x', 'x-u': 1.5 } };
    servers.two.send(update);
    servers.one.send(update);
    await ask(client, 'resources/unsubscribe', { uri: QUALIFIED });
    await ask(client, 'resources/unsubscribe', { uri: 'shared://x' });
    const updates = client.lines.filter((line) => line.includes('resources/updated'));
    expect(updates.map((line) => (JSON.parse(line) as Parsed)['params'])).toEqual([
      { uri: QUALIFIED, 'x-u': 1.5 },
      { uri: 'shared://x', 'x-u': 1.5 },
    ]);
  });

  it.each([QUALIFIED, 'sallyport://one/shared%3A%2F%2Fx'])(
    'tells a client that listens to %s of its updates',
    async (uri) => {
      const client = harness.stdio(principal('tok_1', 'default'), { profile: 'default' });
      await ask(client, 'resources/list', { _meta });
      client.send({
        jsonrpc: '2.0',
        id: 'l',
        method: 'subscriptions/listen',
        params: { notifications: { resourceSubscriptions: [uri] }, _meta },
      });
      await client.line(({ method }) => method === 'notifications/subscriptions/acknowledged');
      const server = uri === QUALIFIED ? servers.two : servers.one;
      server.send({ method: 'notifications/resources/updated', params: { uri: 'shared://x' } });
      expect(await client.line(({ method }) => method === 'notifications/resources/updated')).toContain(
        `"uri":"${uri}"`,
      );
    },
  );

  it('does not miss a server that does not know one of the lists', async () => {
    const bare = new InProcessServer((method) =>
      method === 'resources/list' ? { resources: [{ uri: 'bare://1', name: 'b' }] } : undefined,
    );
    const other = await startHarness({ default: { bare: bare.server } });
    const client = other.stdio(principal('tok_1', 'default'), { profile: 'default' });
    await client.initialize();
    expect((await ask(client, 'resources/templates/list'))['result']).toEqual({ resourceTemplates: [] });
    expect((await ask(client, 'resources/list'))['result']).toEqual({
      resources: [{ uri: 'bare://1', name: 'b' }],
    });
    await other.close();
  });
});
