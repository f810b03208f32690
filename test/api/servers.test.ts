import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AppError } from '../../src/kernel/index.ts';
import { installed, logLine, makeWorld, manifest, type World } from './world.ts';

let world: World;
beforeEach(async () => {
  world = await makeWorld();
});
afterEach(() => world.close());

const quiet = (): void => undefined;
const add = (over: Parameters<typeof manifest>[0] = {}, name?: string) =>
  world.client.addServer(
    { source: 'echo.json', manifest: manifest(over), ...(name === undefined ? {} : { name }) },
    quiet,
  );
const error = (code: string, status: number) => ({ status, json: { error: { code } } });

describe('adding a server', () => {
  it('from a manifest keeps it, records it before, and puts it in the profile default', async () => {
    expect(await add()).toMatchObject({
      slug: 'echo',
      title: 'echo',
      kind: 'sandboxed',
      version: '1.0.0',
      source: 'echo.json',
      enabled: true,
      command: ['node', '/srv/echo.mjs'],
      package: null,
      egress: [{ host: 'api.test.example', port: 443, protocol: 'https' }],
      secrets: [{ name: 'API_KEY', tier: 'sealed', version: null }],
      defaultTools: null,
      toolRules: [],
      readOnlyTools: 'report',
      cells: 1,
      problem: null,
    });
    expect(await world.client.servers()).toHaveLength(1);
    expect((await world.client.profile('default')).entries).toEqual([{ server: 'echo', tools: null }]);
    expect(await world.types()).toEqual(['server.added']);
  });

  it('from a package tells its progress, then what came of it', async () => {
    world.packages.install = async (spec, _options, onProgress) => {
      expect(spec).toBe('npm:tool@1.2.3');
      onProgress('fetching tool');
      return installed({ scriptsSkipped: ['native'] });
    };
    const { status, text } = await world.ask('POST', '/servers', {
      source: 'npm:tool@1.2.3',
      hosts: ['api.test.example', '*.example.org:8443'],
      env: { MODE: 'x' },
    });
    expect(status).toBe(200);
    const [progress, asking, result] = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
    expect(progress).toEqual({ progress: 'fetching tool' });
    expect(asking).toEqual({ progress: 'asking tool what it offers' });
    expect(result).toMatchObject({
      result: {
        slug: 'tool',
        command: ['tool'],
        package: { spec: 'npm:tool@1.2.3', scriptsSkipped: ['native'] },
        egress: [
          { host: 'api.test.example', port: 443 },
          { host: '*.example.org', port: 8443 },
        ],
        secrets: [],
      },
    });
  });

  it('from a package whose version has more than three numbers works', async () => {
    world.packages.install = async () =>
      installed({ version: '2.0.0-beta.1', spec: 'npm:tool@2.0.0-beta.1' });
    const added = await world.client.addServer({ source: 'npm:tool@2.0.0-beta.1' }, quiet);
    expect(added).toMatchObject({ version: '2.0.0', package: { spec: 'npm:tool@2.0.0-beta.1' } });
  });

  it('from the catalog installs the package that the entry pins', async () => {
    const asked: string[] = [];
    world.packages.install = async (spec) => {
      asked.push(spec);
      return installed({ spec });
    };
    const added = await world.client.addServer({ source: 'github' }, quiet);
    expect(asked).toEqual(['npm:@modelcontextprotocol/server-github@2025.4.8']);
    expect(added.secrets[0]?.name).toBe('GITHUB_PERSONAL_ACCESS_TOKEN');
  });

  it.each([
    ['an unknown catalog name', { source: 'githib' }, 'catalog_unknown'],
    ['a package of Python that there is not', { source: 'pypi:x' }, 'package_not_found'],
    [
      'scripts of no package',
      { source: 'x.json', manifest: manifest(), allowScripts: true },
      'server_without_package',
    ],
    ['an address without TLS', { source: 'http://mcp.example' }, 'server_source_unsupported'],
    [
      'a manifest that is not valid',
      { source: 'x.json', manifest: '{"schemaVersion":2}' },
      'manifest_invalid',
    ],
    ['a package that there is not', { source: 'npm:nothing' }, 'package_not_found'],
    [
      'settings for a remote server',
      {
        source: 'x.json',
        env: { A: '1' },
        manifest: manifest({
          server: { kind: 'remote', url: 'https://api.test.example/mcp' },
          credentials: [],
          egress: [{ host: 'api.test.example' }],
        }),
      },
      'server_option_unsupported',
    ],
  ])('from %s fails as %s, and leaves nothing but that on record', async (_, body, code) => {
    await expect(world.client.addServer(body, quiet)).rejects.toMatchObject({ code });
    expect(await world.client.servers()).toEqual([]);
    expect(await world.types()).toEqual(code === 'package_not_found' ? ['package.refused'] : []);
  });

  it.each([
    ['several programs', { bins: { a: 'a', b: 'b' } }, {}, 'server_command_needed'],
    ['no program', { bins: {} }, {}, 'server_command_needed'],
    ['a name that makes no slug', { name: '@scope/---' }, { command: ['x'] }, 'server_name_needed'],
    ['a host that is none', {}, { hosts: ['not a host'] }, 'server_host_malformed'],
    ['an address as host', {}, { hosts: ['10.0.0.1'] }, 'manifest_invalid'],
    ['a wildcard over a public suffix', {}, { hosts: ['*.co.uk'] }, 'manifest_invalid'],
  ])('from a package with %s fails as %s', async (_, found, input, code) => {
    world.packages.install = async () => installed(found);
    await expect(world.client.addServer({ source: 'npm:tool', ...input }, quiet)).rejects.toMatchObject({
      code,
    });
  });

  it('under a name that is taken fails before anything is fetched', async () => {
    let fetched = 0;
    world.packages.install = async () => {
      fetched += 1;
      return installed();
    };
    await add({}, 'github');
    await expect(world.client.addServer({ source: 'github' }, quiet)).rejects.toMatchObject({
      code: 'server_exists',
      kind: 'conflict',
    });
    await expect(world.client.addServer({ source: 'npm:tool', name: 'github' }, quiet)).rejects.toMatchObject(
      { code: 'server_exists' },
    );
    expect(fetched).toBe(0);
  });

  it('twice at once loses neither in the profile', async () => {
    await Promise.all([add({}, 'one'), add({}, 'two'), add({}, 'three')]);
    const { entries } = await world.client.profile('default');
    expect(entries.map(({ server }) => server).toSorted()).toEqual(['one', 'three', 'two']);
  });

  it('does not happen when whoever asked went away meanwhile', async () => {
    const fetching = Promise.withResolvers<void>();
    world.packages.install = async (_spec, _options, onProgress) => {
      onProgress('fetching');
      await fetching.promise;
      return installed();
    };
    const response = await world.raw(
      new Request('http://sallyport/api/v1/servers', {
        method: 'POST',
        body: JSON.stringify({ source: 'npm:tool' }),
        headers: { 'content-type': 'application/json' },
      }),
    );
    const reader = response.body?.getReader();
    await reader?.read();
    const cancelled = reader?.cancel();
    fetching.resolve();
    await cancelled;
    await new Promise((done) => setImmediate(done));
    expect(await world.client.servers()).toEqual([]);
  });
});

describe('a server', () => {
  it('that there is not is an error that names those there are', async () => {
    expect(await world.ask('GET', '/servers/nobody')).toMatchObject({
      status: 404,
      json: {
        error: { code: 'server_unknown', hint: expect.stringContaining('server add github') as string },
      },
    });
    await add();
    for (const [method, path, body] of [
      ['GET', '/servers/nobody'],
      ['DELETE', '/servers/nobody'],
      ['POST', '/servers/nobody/enable'],
      ['POST', '/servers/nobody/disable'],
      ['GET', '/servers/nobody/tools'],
      ['GET', '/servers/nobody/logs'],
      ['GET', '/servers/nobody/secrets'],
      ['PUT', '/servers/nobody/secrets/X', { value: 'v' }],
      ['DELETE', '/servers/nobody/secrets/X'],
      ['POST', '/servers/nobody/secrets/X/inject', { rule: { query: 'q' } }],
      ['POST', '/calls', { server: 'nobody', tool: 't', arguments: '{}' }],
      ['POST', '/kills', { scope: 'server', target: 'nobody' }],
      ['PUT', '/profiles/p', { entries: [{ server: 'nobody', tools: null }] }],
    ] as const) {
      expect(await world.ask(method, path, body), `${method} ${path}`).toMatchObject({
        status: 404,
        json: { error: { code: 'server_unknown', hint: 'Servers here: echo.' } },
      });
    }
  });

  it('that is disabled and enabled has its cells ended, each time on record', async () => {
    await add();
    expect(await world.client.enableServer('echo', false)).toMatchObject({ enabled: false });
    expect(await world.client.enableServer('echo', false)).toMatchObject({ enabled: false });
    expect(await world.client.enableServer('echo', true)).toMatchObject({ enabled: true });
    expect(world.told).toEqual(['restart echo changed', 'restart echo changed']);
    expect(await world.types()).toEqual(['server.added', 'server.changed', 'server.changed']);
  });

  it('that is removed goes with its values and its places in profiles', async () => {
    await add();
    await add({}, 'other');
    await world.client.setSecret('echo', 'API_KEY', 'value-1');
    await world.client.removeServer('echo');
    expect((await world.client.servers()).map(({ slug }) => slug)).toEqual(['other']);
    expect((await world.client.profile('default')).entries.map(({ server }) => server)).toEqual(['other']);
    expect(await world.types()).toContain('secret.deleted');
    // Ended before its values go, and again when nothing can start it any more.
    expect(world.told.filter((what) => what === 'restart echo removed')).toHaveLength(2);
    await add();
    expect((await world.client.secrets('echo'))[0]?.version).toBeNull();
  });

  it('whose stored manifest is no longer valid is shown as such beside the others, and can be removed', async () => {
    await add();
    await add({}, 'fine');
    const { store, workspace } = world.services;
    const row = await store.servers.findBySlug(workspace, 'echo');
    if (row === null) throw new Error('it was added above');
    await store.servers.update(workspace, { ...row, manifest: { schemaVersion: 2, name: 'echo' } });
    const servers = await world.client.servers();
    expect(servers.map(({ slug, problem }) => [slug, problem])).toEqual([
      ['echo', 'The stored manifest of `echo` is not valid.'],
      ['fine', null],
    ]);
    expect(await world.client.server('echo')).toMatchObject({ problem: expect.any(String) as string });
    expect(await world.ask('GET', '/servers/echo/secrets')).toMatchObject(
      error('server_manifest_invalid', 500),
    );
    await world.client.removeServer('echo');
    expect(await world.client.servers()).toHaveLength(1);
  });

  it('gives its tools exactly as it lists them', async () => {
    await add();
    expect(await world.client.tools('echo')).toBe('[{"name":"echo","n":12345678901234567890}]');
  });

  it('that fails says why', async () => {
    await add();
    world.runtime.tools = async () => {
      throw new AppError('upstream_exited', 'It stopped.', { kind: 'unavailable', hint: 'Look.' });
    };
    expect(await world.ask('GET', '/servers/echo/tools')).toMatchObject({
      status: 502,
      json: { error: { code: 'upstream_exited', message: 'It stopped.', hint: 'Look.' } },
    });
  });
});

describe('upgrading', () => {
  const packaged = async () => {
    world.packages.install = async () => installed();
    await world.client.addServer({ source: 'npm:tool', hosts: ['api.test.example'] }, quiet);
  };

  it('pins the new package and keeps the rest', async () => {
    await packaged();
    const asked: string[] = [];
    world.packages.install = async (spec) => {
      asked.push(spec);
      return installed({
        version: '2.0.0-rc.1',
        spec: 'npm:tool@2.0.0-rc.1',
        integrity: `sha256-${'b'.repeat(64)}`,
      });
    };
    const after = await world.client.upgradeServer('tool', { to: '2.0.0-rc.1' }, quiet);
    expect(asked).toEqual(['npm:tool@2.0.0-rc.1']);
    expect(after).toMatchObject({
      version: '2.0.0',
      package: { spec: 'npm:tool@2.0.0-rc.1', integrity: `sha256-${'b'.repeat(64)}` },
      egress: [{ host: 'api.test.example' }],
    });
    // It can be read again, which a version that no manifest may have would have prevented.
    expect((await world.client.server('tool')).problem).toBeNull();
    expect(world.told).toContain('restart tool changed');
  });

  it('to what is there already changes nothing', async () => {
    await packaged();
    await world.client.upgradeServer('tool', {}, quiet);
    expect(await world.types()).toEqual(['package.installed', 'server.added', 'package.installed']);
  });

  it('of a server without a package is refused', async () => {
    await add();
    await expect(world.client.upgradeServer('echo', {}, quiet)).rejects.toMatchObject({
      code: 'server_without_package',
      kind: 'invalid',
    });
  });
});

describe('the log of a server', () => {
  const lines = async (follow: boolean) => {
    const found: string[] = [];
    for await (const line of world.client.logs('echo', follow)) {
      found.push(line.text);
      if (found.length === 2) {
        setTimeout(() => {
          for (const follower of world.followers) follower('third');
        }, 20);
      }
      if (found.length === 3) break;
    }
    return found;
  };

  it('is what it wrote, and with follow what it goes on to write, until the reader leaves', async () => {
    await add();
    expect(await lines(false)).toEqual(['first', 'second']);
    expect(await lines(true)).toEqual(['first', 'second', 'third']);
    expect(world.followers.size).toBe(0);
  });

  it('does not pile up before a reader that does not read', async () => {
    await add();
    let asked = 0;
    let left = false;
    world.runtime.logs = async function* () {
      try {
        for (; ; asked += 1) yield logLine(`line ${asked}`);
      } finally {
        left = true;
      }
    };
    const response = await world.raw(new Request('http://sallyport/api/v1/servers/echo/logs?follow=true'));
    const reader = response.body?.getReader();
    await reader?.read();
    await new Promise((done) => setTimeout(done, 20));
    expect(asked).toBeLessThan(10);
    await reader?.cancel();
    expect(left).toBe(true);
  });
});
