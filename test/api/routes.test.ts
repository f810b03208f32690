import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AppError, type AppErrorKind } from '../../src/kernel/index.ts';
import { databaseOf, makeWorld, manifest, type World } from './world.ts';

let world: World;
beforeEach(async () => {
  world = await makeWorld();
  await world.client.addServer({ source: 'echo.json', manifest: manifest() }, () => undefined);
});
afterEach(() => world.close());

const codeOf = async (method: string, path: string, body?: unknown) => {
  const { status, json } = await world.ask(method, path, body);
  return [status, (json as { error?: { code: string } }).error?.code];
};

describe('secrets', () => {
  it('are set, rotated, listed and deleted, and the running cells are told', async () => {
    expect(await world.client.setSecret('echo', 'API_KEY', 'one')).toMatchObject({
      name: 'API_KEY',
      version: 1,
    });
    expect(await world.client.setSecret('echo', 'API_KEY', 'two')).toMatchObject({
      name: 'API_KEY',
      version: 2,
    });
    expect(await world.client.secrets('echo')).toMatchObject([
      { name: 'API_KEY', version: 2, updatedBy: expect.stringMatching(/^local:\d+$/) as string },
    ]);
    expect(await world.client.deleteSecret('echo', 'API_KEY')).toEqual({ deleted: ['API_KEY'] });
    expect(await world.client.secrets('echo')).toMatchObject([{ version: null, updatedAt: null }]);
    expect(world.told).toEqual(['credentials echo', 'credentials echo', 'credentials echo']);
  });

  it('are all deleted at once with a star', async () => {
    await world.client.setSecret('echo', 'API_KEY', 'one');
    expect(await world.client.deleteSecret('echo', '*')).toEqual({ deleted: ['API_KEY'] });
    expect(await world.client.deleteSecret('echo', '*')).toEqual({ deleted: [] });
  });

  it.each([
    ['PUT', '/servers/echo/secrets/OTHER', { value: 'v' }, 404, 'secret_slot_unknown'],
    ['PUT', '/servers/echo/secrets/API_KEY', { value: '' }, 400, 'api_input_invalid'],
    ['PUT', '/servers/echo/secrets/API_KEY', { value: 'v', more: 1 }, 400, 'api_input_invalid'],
    ['PUT', '/servers/echo/secrets/API_KEY', { value: 'v'.repeat(65_537) }, 400, 'vault_value_invalid'],
    ['DELETE', '/servers/echo/secrets/API_KEY', undefined, 404, 'secret_not_set'],
    ['DELETE', '/servers/NOT-A-SLUG/secrets/API_KEY', undefined, 400, 'api_input_invalid'],
  ])('%s %s %j answers %i %s', async (method, path, body, status, code) => {
    expect(await codeOf(method, path, body)).toEqual([status, code]);
  });

  it('get a place for one that the manifest does not name', async () => {
    const changed = await world.client.inject('echo', 'OTHER_KEY', {
      rule: { header: 'X-Key', format: '{token}' },
      hosts: ['api.test.example'],
      env: 'OTHER',
    });
    expect(changed.secrets.at(-1)).toMatchObject({
      name: 'OTHER_KEY',
      tier: 'sealed',
      hosts: ['api.test.example'],
      inject: [{ header: 'X-Key', format: '{token}' }],
    });
    expect(world.told).toEqual(['restart echo changed']);
    expect((await world.client.setSecret('echo', 'OTHER_KEY', 'v')).version).toBe(1);
  });

  it.each([
    [{ rule: { header: 'X', format: 'no place' } }, 'manifest_invalid'],
    [{ rule: { query: 'q' }, hosts: ['elsewhere.example'] }, 'manifest_invalid'],
    [{ rule: { header: 'X' } }, 'api_input_invalid'],
    [{}, 'api_input_invalid'],
  ])('cannot be injected by %j', async (body, code) => {
    expect(await codeOf('POST', '/servers/echo/secrets/OTHER/inject', body)).toEqual([400, code]);
  });
});

describe('profiles', () => {
  it('are made, shown, replaced and deleted, each on record', async () => {
    const entries = [{ server: 'echo', tools: ['a', 'b'] }];
    const options = { tokenInUrl: false, search: false, record: null };
    expect(await world.client.setProfile('work', entries)).toEqual({ name: 'work', entries, options });
    expect(await world.client.profile('work')).toEqual({ name: 'work', entries, options });
    await world.client.setProfile('work', [{ server: 'echo', tools: '*' }], { tokenInUrl: true });
    expect((await world.client.setProfile('work', entries, { search: true })).options).toEqual({
      tokenInUrl: true,
      search: true,
      record: null,
    });
    expect((await world.client.profiles()).map(({ name }) => name)).toEqual(['default', 'work']);
    await world.client.deleteProfile('work');
    expect((await world.client.profiles()).map(({ name }) => name)).toEqual(['default']);
    expect((await world.types()).slice(1)).toEqual([
      'profile.changed',
      'profile.changed',
      'profile.changed',
      'profile.deleted',
    ]);
  });

  it('take their tokens with them, so that a later one of the same name does not find them', async () => {
    await world.client.setProfile('work', []);
    const { id, token } = await world.client.createToken({ profile: 'work', agent: 'a' });
    const other = await world.client.createToken({ profile: 'default', agent: 'a' });
    await world.client.deleteProfile('work');
    await world.client.setProfile('work', []);
    await expect(world.services.tokens.verify(token, '127.0.0.1')).rejects.toMatchObject({
      code: 'token_revoked',
    });
    await expect(world.services.tokens.verify(other.token, '127.0.0.1')).resolves.toBeDefined();
    expect((await world.client.tokens()).find((one) => one.id === id)?.revokedAt).not.toBeNull();
  });

  it.each([
    ['GET', '/profiles/nothing', undefined, 404, 'profile_unknown'],
    ['DELETE', '/profiles/nothing', undefined, 404, 'profile_unknown'],
    ['GET', '/profiles/No%20Slug', undefined, 400, 'api_input_invalid'],
    ['PUT', '/profiles/p', { entries: [{ server: 'echo', tools: 'some' }] }, 400, 'api_input_invalid'],
    [
      'PUT',
      '/profiles/p',
      {
        entries: [
          { server: 'echo', tools: null },
          { server: 'echo', tools: '*' },
        ],
      },
      400,
      'api_input_invalid',
    ],
  ])('%s %s %j answers %i %s', async (method, path, body, status, code) => {
    expect(await codeOf(method, path, body)).toEqual([status, code]);
  });
});

describe('tokens', () => {
  it('are shown once, listed without their value, rotated and revoked', async () => {
    const expiresAt = Date.now() + 60_000;
    const created = await world.client.createToken({ profile: 'default', agent: 'cursor', expiresAt });
    expect(created.token).toMatch(/^sally_/);
    const [listed] = await world.client.tokens();
    expect(listed).toMatchObject({
      id: created.id,
      agent: 'cursor',
      profile: 'default',
      expiresAt,
      revokedAt: null,
    });
    expect(JSON.stringify(listed)).not.toContain(created.token.slice(-20));
    const rotated = await world.client.rotateToken(created.id);
    expect(rotated.id).not.toBe(created.id);
    await world.client.revokeToken(rotated.id);
    expect((await world.client.tokens()).every(({ revokedAt }) => revokedAt !== null)).toBe(true);
  });

  it.each([
    ['POST', '/tokens', { profile: 'nothing', agent: 'a' }, 404, 'profile_unknown'],
    ['POST', '/tokens', { profile: 'default', agent: '' }, 400, 'api_input_invalid'],
    ['POST', '/tokens', { profile: 'default', agent: 'a'.repeat(101) }, 400, 'api_input_invalid'],
    ['POST', '/tokens', { profile: 'default', agent: 'a\u001b[2J' }, 400, 'token_invalid'],
    ['POST', '/tokens', { profile: 'default', agent: 'a', expiresAt: 1 }, 400, 'token_invalid'],
    ['POST', '/tokens', { profile: 'default', agent: 'a', expiresAt: 1.5 }, 400, 'api_input_invalid'],
    ['DELETE', '/tokens/tok_nothing', undefined, 404, 'token_not_found'],
    ['POST', '/tokens/tok_nothing/rotate', undefined, 404, 'token_not_found'],
  ])('%s %s %j answers %i %s', async (method, path, body, status, code) => {
    expect(await codeOf(method, path, body)).toEqual([status, code]);
  });
});

describe('calls', () => {
  it('forward the arguments and give the result as they are', async () => {
    const text = '{"n":12345678901234567890,"a":1.0}';
    expect(await world.client.call('echo', 'do', text, 'default')).toBe(
      '{"content":[{"type":"text","text":"done"}],"n":12345678901234567890}',
    );
    await world.client.call('echo', 'do', '{}', undefined);
    expect(world.told).toEqual([`call echo do ${text} default`, 'call echo do {} null']);
  });

  it.each([
    ['invalid', 400],
    ['unauthenticated', 401],
    ['denied', 403],
    ['not_found', 404],
    ['conflict', 409],
    ['limited', 429],
    ['unavailable', 502],
    ['failed', 500],
  ] satisfies [AppErrorKind, number][])(
    'that fail as %s answer %i, and the client knows why',
    async (kind, status) => {
      world.runtime.call = async () => {
        throw new AppError('x_y', 'It broke.', {
          kind,
          hint: 'Mend it.',
          detail: { inside: 'detail-of-the-log' },
          cause: new Error('cause-of-the-log'),
        });
      };
      const answer = await world.ask('POST', '/calls', { server: 'echo', tool: 't', arguments: '{}' });
      expect(answer).toMatchObject({
        status,
        json: { error: { code: 'x_y', message: 'It broke.', hint: 'Mend it.' } },
      });
      expect(answer.text).not.toContain('of-the-log');
      await expect(world.client.call('echo', 't', '{}', undefined)).rejects.toMatchObject({
        code: 'x_y',
        kind,
        hint: 'Mend it.',
      });
    },
  );

  it('that fail in a way nobody foresaw say nothing of it, and the log does', async () => {
    world.runtime.call = async () => {
      throw new TypeError('secret-inside');
    };
    const { status, text } = await world.ask('POST', '/calls', {
      server: 'echo',
      tool: 't',
      arguments: '{}',
    });
    expect([status, text.includes('secret-inside')]).toEqual([500, false]);
    expect(text).toContain('internal_error');
    expect(world.logged).toEqual(['api.unexpected']);
  });
});

describe('kill switches', () => {
  it('are recorded, set, effective, listed and lifted', async () => {
    const kill = await world.client.kill('server', 'echo', 'odd traffic');
    expect(kill).toMatchObject({ scope: 'server', target: 'echo', reason: 'odd traffic' });
    expect(world.told).toEqual(['kill', 'kill kill switch']);
    expect(await world.client.kills()).toEqual([kill]);
    await world.client.resume('server', 'echo');
    expect(await world.client.kills()).toEqual([]);
    expect((await world.types()).slice(1)).toEqual(['kill.set', 'kill.lifted']);
  });

  it('cover everything, a token or a user', async () => {
    const { id } = await world.client.createToken({ profile: 'default', agent: 'a' });
    await world.client.kill('all', '', '');
    await world.client.kill('token', id, '');
    await world.client.kill('user', 'usr_1', '');
    const active = (await world.client.kills()).map(({ scope, target }) => `${scope} ${target}`);
    expect(active.toSorted()).toEqual(['all ', `token ${id}`, 'user usr_1']);
  });

  it.each([
    ['POST', { scope: 'token', target: 'tok_typo' }, 404, 'token_not_found'],
    ['POST', { scope: 'user', target: '' }, 400, 'kill_target_invalid'],
    ['POST', { scope: 'all', target: 'echo' }, 400, 'kill_target_invalid'],
    ['POST', { scope: 'everything' }, 400, 'api_input_invalid'],
    ['DELETE', { scope: 'all' }, 404, 'kill_not_active'],
  ])('%s %j answers %i %s, and nothing is recorded', async (method, body, status, code) => {
    const before = await world.types();
    expect(await codeOf(method, '/kills', body)).toEqual([status, code]);
    expect(await world.types()).toEqual(before);
    expect(await world.client.kills()).toEqual([]);
  });
});

describe('keys', () => {
  it('are shown by name only, and rotated', async () => {
    const before = await world.client.keys();
    expect(before).toMatchObject({ provider: 'file', keys: [{ current: true }], missing: [] });
    const rotation = await world.client.rotateKeys();
    expect(rotation).toMatchObject({ from: before.keys[0]?.id, resumed: false });
    expect((await world.client.keys()).keys.map(({ id }) => id)).toEqual([rotation.to]);
  });
});

describe('the audit log', () => {
  const read = async (options: { from?: number; last?: number; follow?: boolean }, atMost = Infinity) => {
    const found: unknown[] = [];
    for await (const { sequence } of world.client.audit(options)) {
      found.push(sequence);
      if (found.length === atMost) break;
    }
    return found;
  };

  it('is given whole, from somewhere on, its end, and as it grows', async () => {
    for (let at = 0; at < 4; at += 1) await world.client.setSecret('echo', 'API_KEY', `v${at}`);
    expect(await read({ from: 1 })).toEqual([1, 2, 3, 4, 5]);
    expect(await read({ from: 4 })).toEqual([4, 5]);
    expect(await read({ last: 2 })).toEqual([4, 5]);
    const following = read({ last: 1, follow: true }, 2);
    await world.client.setSecret('echo', 'API_KEY', 'new');
    expect(await following).toEqual([5, 6]);
    expect(await world.client.verifyAudit()).toMatchObject({ ok: true, events: 6, problems: [] });
  });

  it.each(['from=0', 'from=x', 'last=0', 'last=10001', 'follow=yes'])('refuses ?%s', async (query) => {
    expect(await codeOf('GET', `/audit?${query}`)).toEqual([400, 'api_input_invalid']);
  });

  it('is read as fast as its reader reads, not faster', async () => {
    let asked = 0;
    const { audit } = world.services;
    Object.assign(audit, {
      export: async function* () {
        for (let sequence = 1; ; sequence += 1) {
          asked += 1;
          yield { sequence };
        }
      },
    });
    const response = await world.raw(new Request('http://sallyport/api/v1/audit?from=1'));
    const reader = response.body?.getReader();
    await reader?.read();
    await new Promise((done) => setImmediate(done));
    expect(asked).toBeLessThan(10);
    await reader?.cancel();
  });

  it('that cannot be read ends with the reason, not with a short answer', async () => {
    Object.assign(world.services.audit, {
      export: async function* () {
        yield { sequence: 1 };
        throw new AppError('store_corrupt', 'The file is damaged.', { kind: 'failed', hint: 'Restore it.' });
      },
    });
    await expect(read({ from: 1 })).rejects.toMatchObject({ code: 'store_corrupt', hint: 'Restore it.' });
  });
});

describe('the catalog and the status', () => {
  it('are shown', async () => {
    expect((await world.client.catalog('')).length).toBeGreaterThan(14);
    expect((await world.client.catalog('github'))[0]?.name).toBe('github');
    expect((await world.client.catalogEntry('github')).text).toContain('schemaVersion: 2');
    expect(await codeOf('GET', '/catalog/nothing')).toEqual([404, 'catalog_unknown']);
    expect(await world.client.status()).toMatchObject({
      version: '0.0.0',
      url: null,
      cells: [{ id: 'cell_1' }],
    });
  });
});

describe('a request that is not understood', () => {
  it.each([
    ['GET', '/nothing', undefined, 404, 'api_route_unknown'],
    ['PATCH', '/servers', undefined, 404, 'api_route_unknown'],
    ['POST', '/tokens', 'text', 400, 'api_input_invalid'],
    ['POST', '/tokens', [], 400, 'api_input_invalid'],
  ])('%s %s %j answers %i %s', async (method, path, body, status, code) => {
    expect(await codeOf(method, path, body)).toEqual([status, code]);
  });

  it('is answered without a word of its body', async () => {
    const response = await world.raw(
      new Request('http://sallyport/api/v1/servers/echo/secrets/API_KEY', {
        method: 'PUT',
        body: '{"value":"sk-typed-wrong',
        headers: { 'content-type': 'application/json' },
      }),
    );
    expect(response.status).toBe(400);
    expect(await response.text()).not.toContain('sk-typed');
  });
});

describe('no answer of any route', () => {
  it('has a stored value in it, in any usual encoding, nor has the database', async () => {
    const value = 'sk-live-8hJ2kQ9mZ4pX7vW1';
    await world.client.setSecret('echo', 'API_KEY', value);
    const { id, token } = await world.client.createToken({ profile: 'default', agent: 'a' });
    const requests: [string, string, unknown?][] = [
      ['GET', '/servers'],
      ['GET', '/servers/echo'],
      ['GET', '/servers/echo/secrets'],
      ['GET', '/servers/echo/tools'],
      ['GET', '/servers/echo/logs'],
      ['GET', '/profiles'],
      ['GET', '/profiles/default'],
      ['GET', '/tokens'],
      ['GET', '/kills'],
      ['GET', '/keys'],
      ['GET', '/audit?from=1'],
      ['GET', '/audit?last=100'],
      ['GET', '/audit/verify'],
      ['POST', '/audit/checkpoints'],
      ['GET', '/audit/exports'],
      ['GET', '/alerts'],
      ['POST', '/alerts/test'],
      ['GET', '/catalog'],
      ['GET', '/catalog/github'],
      ['GET', '/status'],
      ['GET', '/openapi.json'],
      ['GET', '/servers/echo/secrets/API_KEY'],
      ['POST', '/calls', { server: 'echo', tool: 't', arguments: '{}' }],
      ['POST', '/keys/rotate'],
      ['PUT', '/servers/echo/secrets/OTHER', { value }],
      ['PUT', '/servers/echo/secrets/API_KEY', { value, more: 1 }],
      ['PUT', '/servers/echo/secrets/API_KEY', { value: [value] }],
      ['POST', '/servers/echo/secrets/API_KEY/inject', { rule: { query: 'key' } }],
      ['POST', '/servers/echo/disable'],
      ['POST', '/servers/echo/enable'],
      ['POST', '/servers/echo/upgrade', {}],
      ['DELETE', `/tokens/${id}`],
      ['DELETE', '/servers/echo/secrets/API_KEY'],
    ];
    const answers: string[] = [];
    for (const [method, path, body] of requests) answers.push((await world.ask(method, path, body)).text);
    const database = databaseOf(world);
    const stored = [database, `${database}-wal`].map((file) => readFileSync(file).toString('latin1'));
    const texts = [...answers, ...stored];
    for (const secret of [value, token]) {
      const bytes = Buffer.from(secret);
      // Without the ends of base64, which depend on what stands beside it.
      const base64 = [0, 1, 2].map((shift) =>
        Buffer.concat([Buffer.alloc(shift), bytes])
          .toString('base64')
          .slice(4, -4),
      );
      for (const form of [secret, bytes.toString('hex'), ...base64, secret.split('').toReversed().join('')]) {
        for (const text of texts) expect(text.includes(form)).toBe(false);
      }
    }
    expect(answers.join('').length).toBeGreaterThan(10_000);
  });
});
