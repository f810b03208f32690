/** What a command may reach and use, put together from several servers. */
import { describe, expect, it } from 'vitest';
import type { ServerRow } from '../../src/api/index.ts';
import type { ServerId } from '../../src/kernel/index.ts';
import { systemRandom } from '../../src/kernel/index.ts';
import { parseManifest } from '../../src/manifest/index.ts';
import { type RunServer, rulesOfHosts, shareOf } from '../../src/main/run/share.ts';

const slot = (name: string, over: object = {}): object => ({
  name,
  tier: 'sealed',
  env: name,
  placeholder: 'key_{alnum:32}',
  hosts: ['api.one.example'],
  inject: [{ header: 'Authorization', format: 'Bearer {token}' }],
  ...over,
});

function server(slug: string, egress: object[], credentials: object[] = [], unset: string[] = []): RunServer {
  const text = JSON.stringify({
    schemaVersion: 2,
    name: slug,
    version: '1.0.0',
    server: { kind: 'sandboxed', command: ['x'] },
    egress,
    credentials,
  });
  const { manifest, errors } = parseManifest(text, { file: slug });
  if (manifest === undefined || errors.length > 0) throw new Error(JSON.stringify(errors));
  const row: ServerRow = {
    id: `srv_${slug}` as ServerId, // an id of the right shape
    slug,
    manifest: {},
    manifestHash: slug,
    source: slug,
    package: null,
    enabled: true,
    createdAt: 1,
    updatedAt: 1,
  };
  const set = manifest.credentials.filter(({ name }) => !unset.includes(name));
  return { row, manifest, versions: new Map(set.map(({ name }) => [name, 1])) };
}
const share = (servers: readonly RunServer[], hosts: readonly string[] = []) =>
  shareOf(servers, rulesOfHosts(hosts), systemRandom);

const ONE = { host: 'api.one.example' };

describe('shareOf', () => {
  it('puts rules, credentials and variables side by side, each credential under its server', () => {
    const given = share(
      [
        server('one', [ONE], [slot('TOKEN')]),
        server(
          'two',
          [{ host: 'api.two.example', methods: ['GET'] }],
          [slot('TOKEN', { env: 'TWO', hosts: ['api.two.example'] })],
        ),
      ],
      ['extra.example:8443'],
    );
    expect(given.rules.map(({ host, port }) => `${host}:${port}`)).toEqual([
      'api.one.example:443',
      'api.two.example:443',
      'extra.example:8443',
    ]);
    expect(given.bindings.map(({ name, hosts }) => [name, hosts])).toEqual([
      ['one/TOKEN', ['api.one.example']],
      ['two/TOKEN', ['api.two.example']],
    ]);
    expect([...given.credentials].map(([label, { row, name }]) => [label, row.slug, name])).toEqual([
      ['one/TOKEN', 'one', 'TOKEN'],
      ['two/TOKEN', 'two', 'TOKEN'],
    ]);
    expect(Object.keys(given.environment)).toEqual(['TOKEN', 'TWO']);
    expect(given.environment['TOKEN']).toBe(given.bindings[0]?.placeholder);
    expect(given.environment['TWO']).toBe(given.bindings[1]?.placeholder);
    expect(given.notes).toEqual([]);
  });

  it.each([
    ['unset', slot('KEY'), ['KEY'], 'one/KEY has no value: sallyport secret set one KEY'],
    [
      'entrusted',
      slot('KEY', { tier: 'entrusted', inject: [], hosts: [] }),
      [],
      'one/KEY is for that server itself, which would be given its value.',
    ],
    [
      'for calls only',
      slot('KEY', { use: 'during-calls' }),
      [],
      'one/KEY may be used during tool calls only.',
    ],
  ])('leaves out and names what is %s', (_, credential, unset, note) => {
    const given = share([server('one', [ONE], [credential], unset)]);
    expect(given).toMatchObject({ bindings: [], environment: {}, notes: [note] });
    expect(given.credentials.size).toBe(0);
  });

  it('gives a variable to the first that has it, and says so', () => {
    const given = share([
      server('one', [ONE], [slot('TOKEN')]),
      server('two', [ONE], [slot('OTHER', { env: 'TOKEN' })]),
    ]);
    expect(given.environment['TOKEN']).toBe(given.bindings[0]?.placeholder);
    expect(given.notes).toEqual([
      'TOKEN is the placeholder of one/TOKEN; that of two/OTHER has no variable.',
    ]);
  });
});

describe('the ports that a credential goes to', () => {
  const portsOf = (given: ReturnType<typeof share>) => given.bindings.map(({ ports }) => ports);

  it('are those of its own server, whatever others may reach', () => {
    const plain = { ...ONE, port: 80, protocol: 'http' };
    const given = share(
      [server('one', [ONE], [slot('TOKEN')]), server('two', [plain])],
      ['api.one.example:8443'],
    );
    expect(given.rules.map(({ port }) => port)).toEqual([443, 80, 8443]);
    expect(portsOf(given)).toEqual([[443]]);
  });

  it('are those that it names itself', () => {
    const both = [ONE, { ...ONE, port: 8443 }];
    expect(portsOf(share([server('one', both, [slot('TOKEN')])]))).toEqual([[443, 8443]]);
    expect(portsOf(share([server('one', both, [slot('TOKEN', { ports: [8443] })])]))).toEqual([[8443]]);
  });
});

describe('rules for one place that differ', () => {
  const narrow = { ...ONE, methods: ['GET'], paths: ['/v1'] };
  const differ = expect.objectContaining({ code: 'run_rules_differ', kind: 'denied' }) as Error;

  it.each([
    ['two servers', [server('one', [narrow], [slot('TOKEN')]), server('two', [ONE])], []],
    ['whichever comes first', [server('two', [ONE]), server('one', [narrow], [slot('TOKEN')])], []],
    [
      'a pattern that covers it',
      [server('one', [narrow], [slot('TOKEN')]), server('two', [{ host: '*.one.example' }])],
      [],
    ],
    ['a host of the command line', [server('one', [narrow], [slot('TOKEN')])], ['api.one.example']],
    ['a pattern of the command line', [server('one', [narrow], [slot('TOKEN')])], ['*.one.example']],
    [
      'a port that the server has for another host only',
      [
        server(
          'one',
          [narrow, { host: 'api.two.example', port: 8443 }],
          [slot('TOKEN', { hosts: ['api.one.example', 'api.two.example'] })],
        ),
      ],
      ['api.one.example:8443'],
    ],
  ])('are refused where a credential goes: %s', (_, servers, hosts) => {
    expect(() => share(servers, hosts)).toThrow(differ);
  });

  it.each([
    [
      'they are the same',
      [
        server('one', [narrow], [slot('TOKEN')]),
        server('two', [{ ...ONE, paths: ['/v1'], methods: ['GET'] }]),
      ],
      [],
    ],
    ['no credential goes there', [server('one', [narrow]), server('two', [ONE])], []],
    ['no value is set', [server('one', [narrow], [slot('TOKEN')], ['TOKEN']), server('two', [ONE])], []],
    ['the port is another', [server('one', [narrow], [slot('TOKEN')])], ['api.one.example:8443']],
    [
      'no credential goes to that name, only to one beside it',
      [server('one', [{ ...narrow, host: '*.one.example' }], [slot('TOKEN')])],
      ['other.one.example'],
    ],
    ['the name is another', [server('one', [narrow], [slot('TOKEN')])], ['one.example', 'xapi.one.example']],
    ['it is the same as the server has', [server('one', [ONE], [slot('TOKEN')])], ['api.one.example']],
  ])('are fine where %s', (_, servers, hosts) => {
    expect(() => share(servers, hosts)).not.toThrow();
  });
});

describe('rulesOfHosts', () => {
  it('takes hosts as manifests do', () => {
    expect(rulesOfHosts(['a.example', '*.b.example:8443'])).toMatchObject([
      { host: 'a.example', port: 443, protocol: 'https' },
      { host: '*.b.example', port: 8443, protocol: 'https' },
    ]);
  });

  it.each([
    '',
    '*',
    '*.example',
    'a b',
    'https://a.example',
    'a.example:99999',
    'a.example:0',
    'a.example/x',
  ])('refuses %j', (host) => {
    expect(() => rulesOfHosts([host])).toThrow(
      expect.objectContaining({ code: 'run_host_invalid', kind: 'invalid' }) as Error,
    );
  });
});
