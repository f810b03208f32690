/**
 * ATTACKS 13 and 22 against the owner's rules: ways to say the same thing so that a rule reads it differently from whoever
 * carries it out. Each is tried with the rule and without it: without it, what is attacked happens.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { httpsUpstream, inWorld } from '../egress/world.ts';
import { fixture, type Harness, principal, startHarness, type TestClient } from '../mcp/harness.ts';
import { rulesOf } from '../policy/rules/asking.ts';

const NONE = rulesOf('{}');

describe('a path below which nothing may be asked for', () => {
  const rules = rulesOf('rules: [{ id: no-admin, match: { hosts: api.test, paths: [/admin] }, do: deny }]');
  const PATHS = [
    '/admin/users',
    '/admin',
    '/x/../admin/users',
    '/./admin/users',
    '//admin/users',
    '/%61dmin/users',
    '/x/%2e%2e/admin/users',
    '/x/..%2fadmin/users',
    '/x\\..\\admin/users',
    '/admin;v=1/users',
    '/admin%2fusers',
    '/%2561dmin/users',
  ];

  /** What an upstream is asked for that undoes every spelling of a path that servers undo. */
  async function reached(ownerRules: typeof rules, path: string): Promise<boolean> {
    const asked: string[] = [];
    const upstream = await httpsUpstream((request, response) => {
      asked.push(request.url ?? '');
      response.end('ok');
    });
    await inWorld({ upstreams: { 'api.test:443': upstream }, ownerRules }, async (world) => {
      await world.exchange(`GET ${path} HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n\r\n`);
    });
    return asked.some((url) => /^\/*admin(?:[/;?]|%2f|$)/i.test(undone(url)));
  }

  const undone = (url: string): string => {
    const plain = decodeURIComponent(url.replaceAll('%2f', '/').replaceAll('%5c', '/')).replaceAll('\\', '/');
    return new URL(plain.replace(/^\/+/, '/'), 'http://x').pathname;
  };

  it.each(PATHS)('%s', async (path) => {
    expect(await reached(rules, path)).toBe(false);
  });

  it('the control: without the rule the plain ones arrive', async () => {
    expect(await reached(NONE, '/admin/users')).toBe(true);
    expect(await reached(NONE, '/%61dmin/users')).toBe(true);
  });
});

describe('an argument that may not be there', () => {
  const rules = rulesOf(
    `rules: [{ id: no-force, match: { tools: echo }, when: 'has(args.force) && args.force != false', do: deny }]`,
  );
  const DEEP = '{"a":'.repeat(100) + '1' + '}'.repeat(100);
  const CALLS = [
    '{"force":true}',
    '{"f\\u006frce":true}',
    '{"force":false,"force":true}',
    '{"force":true,"force":false}',
    '{"force":false,"f\\u006frce":true}',
    '{"force":"yes"}',
    '{"force":null}',
    '{"force":1e309}',
    '{"force":{"__proto__":null}}',
    '{"constructor":{"x":1},"force":true}',
    '{"__proto__":{},"hasOwnProperty":1,"force":true}',
    `{"pad":${DEEP},"force":true}`,
  ];

  let harness: Harness;
  let client: TestClient;
  beforeEach(async () => {
    harness = await startHarness({ default: { echo: { command: fixture('echo'), tools: '*' } } });
    client = harness.stdio(principal('tok_1', 'default'), { profile: 'default', server: 'echo' });
    await client.initialize();
  });
  afterEach(() => harness.close());

  /** How many calls of the tool arrived that have the argument. */
  async function arrived(): Promise<number> {
    for (const [index, args] of CALLS.entries())
      client.send(
        `{"jsonrpc":"2.0","id":${index + 1},"method":"tools/call","params":{"name":"echo","arguments":${args}}}`,
      );
    await client.request('last', 'ping');
    await client.request('listed', 'tools/list');
    harness.setRules(NONE);
    const seen = await harness.front.callTool(principal('uid', null), null, 'echo', 'seen', '{}');
    return seen.split('tools/call').length - 2;
  }

  it('is not, in whatever way it is written', async () => {
    harness.setRules(rules);
    expect(await arrived()).toBe(0);
  });

  it('the control: without the rule, all that have one reading arrive', async () => {
    expect(await arrived()).toBeGreaterThanOrEqual(CALLS.length - 5);
  });
});
