import { setTimeout as pause } from 'node:timers/promises';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  AppError,
  type JsonObject,
  limits,
  Secret,
  type ServerId,
  silentLog,
  systemClock,
  systemRandom,
} from '../../src/kernel/index.ts';
import {
  type Caller,
  type CredentialRef,
  createVault,
  type Purpose,
  type Vault,
} from '../../src/vault/index.ts';
import { type Installation, install } from './installation.ts';

const inject: Purpose = { kind: 'inject', data: { host: 'api.github.com', requestId: 'req_1' } };

describe('the vault', () => {
  let home: Installation;
  let vault: Vault;
  let server: ServerId;
  let shared: CredentialRef;

  beforeEach(async () => {
    home = await install();
    vault = home.vault;
    server = await home.addServer('github');
    shared = { server, serverSlug: 'github', name: 'TOKEN', owner: null };
  });

  afterEach(async () => {
    await home.dispose();
  });

  const put = (value: string, ref = shared, caller = home.local) =>
    vault.put(caller, ref, Secret.fromString(value));
  const use = async (ref = shared, caller = home.agent): Promise<string> => {
    // What another process changed is seen a moment later.
    await pause(limits.storeRevisionGlanceMs + 1);
    using secret = await vault.use(caller, ref, inject);
    return secret.reveal();
  };
  const eventData = async (type: string): Promise<JsonObject[]> =>
    (await home.events()).filter((event) => event.type === type).map((event) => event.data);
  const lastEvent = async () => (await home.events()).at(-1);

  describe('use', () => {
    it('gives the value that was put, also in another process', async () => {
      await put('ghp_first');
      expect(await use()).toBe('ghp_first');
      const another = await home.another();
      using secret = await another.vault.use(home.agent, shared, inject);
      expect(secret.reveal()).toBe('ghp_first');
    });

    it('gives the new value from the next use on, whoever set it', async () => {
      await put('old');
      expect(await use()).toBe('old');
      await put('new');
      expect(await use()).toBe('new');
      const another = await home.another();
      await another.vault.put(home.local, shared, Secret.fromString('newest'));
      expect(await use()).toBe('newest');
    });

    it("prefers the user's own value, and no other user's", async () => {
      const mine = { ...shared, owner: 'user_1' };
      await put('shared');
      expect(await use(mine)).toBe('shared');
      await put('mine', mine);
      expect(await use(mine)).toBe('mine');
      expect(await use({ ...shared, owner: 'user_2' })).toBe('shared');
      expect(await use(shared)).toBe('shared');
      await vault.remove(home.local, mine);
      expect(await use(mine)).toBe('shared');
    });

    it('carries bytes that are no text', async () => {
      const bytes = Buffer.from([0, 255, 128, 10, 13]);
      await vault.put(home.local, shared, Secret.fromBytes(Buffer.from(bytes)));
      using secret = await vault.use(home.agent, shared, inject);
      expect(secret.bytes()).toEqual(bytes);
    });

    it('is on record before the value is opened, with what it is for', async () => {
      await put('ghp_first');
      await use();
      const row = await home.store.credentials.find(home.workspace, shared);
      expect(await lastEvent()).toMatchObject({
        type: 'credential.used',
        actor: home.agent.actor,
        server: 'github',
        data: {
          credential: row?.id,
          name: 'TOKEN',
          owner: null,
          version: 1,
          purpose: 'inject',
          for: { host: 'api.github.com', requestId: 'req_1' },
        },
      });
    });

    it('records whose value it was, when the shared one stood in', async () => {
      await put('shared');
      await use({ ...shared, owner: 'user_1' });
      expect((await lastEvent())?.data['owner']).toBeNull();
    });

    it('opens nothing when the audit log cannot be written', async () => {
      await put('ghp_first');
      const opened: string[] = [];
      const deaf = createVault({
        ...home,
        clock: systemClock,
        random: systemRandom,
        log: silentLog,
        audit: {
          append: () => Promise.reject(new AppError('audit_unavailable', 'disk full', { kind: 'failed' })),
          record: () => Promise.reject(new AppError('audit_unavailable', 'disk full', { kind: 'failed' })),
        },
        ring: {
          sealValue: home.ring.sealValue.bind(home.ring),
          wrap: home.ring.wrap.bind(home.ring),
          unwrap: home.ring.unwrap.bind(home.ring),
          purposeKey: home.ring.purposeKey.bind(home.ring),
          renewTenantKey: home.ring.renewTenantKey.bind(home.ring),
          clear: home.ring.clear.bind(home.ring),
          openValue(sealed, context) {
            opened.push(context.table);
            return home.ring.openValue(sealed, context);
          },
        },
      });
      await expect(deaf.use(home.agent, shared, inject)).rejects.toMatchObject({ code: 'audit_unavailable' });
      await expect(deaf.put(home.local, shared, Secret.fromString('x'))).rejects.toMatchObject({
        code: 'audit_unavailable',
      });
      await expect(deaf.remove(home.local, shared)).rejects.toMatchObject({ code: 'audit_unavailable' });
      // The index was read, which holds no value; the credential was not.
      expect(opened).toEqual(['credential_index']);
      expect(await use()).toBe('ghp_first');
    });

    it('says how to set what is missing, and records that', async () => {
      await expect(use()).rejects.toMatchObject({
        code: 'vault_credential_missing',
        kind: 'not_found',
        message: 'No value is set for `TOKEN` of `github`.',
        hint: 'sallyport secret set github TOKEN',
      });
      expect(await lastEvent()).toMatchObject({
        type: 'credential.refused',
        data: { name: 'TOKEN', reason: 'vault_credential_missing', purpose: 'inject' },
      });
    });
  });

  describe('authority', () => {
    const user: Caller['actor'] = { kind: 'user', id: 'user_1' };

    it('ends at the workspace', async () => {
      await put('ghp_first');
      const stranger: Caller = { workspace: home.other, actor: { kind: 'local', id: '0' } };
      const attempts = [
        () => vault.use(stranger, shared, inject),
        () => vault.put(stranger, shared, Secret.fromString('x')),
        () => vault.remove(stranger, shared),
        () => vault.list(stranger, { id: server, slug: 'github' }),
      ];
      for (const attempt of attempts) await expect(attempt()).rejects.toMatchObject({ code: 'vault_denied' });
      expect(await use()).toBe('ghp_first');
    });

    it("insists on the server's own slug: it is what the audit and the kill switch go by", async () => {
      await put('ghp_first');
      await home.addServer('slack');
      await expect(use({ ...shared, serverSlug: 'slack' })).rejects.toMatchObject({
        code: 'vault_denied',
        kind: 'denied',
      });
    });

    it('refuses a disabled server', async () => {
      await put('ghp_first');
      const row = await home.store.servers.find(home.workspace, server);
      if (row === null) throw new Error('the server is gone');
      await home.store.servers.update(home.workspace, { ...row, enabled: false });
      await expect(use()).rejects.toMatchObject({ code: 'vault_denied' });
      await home.store.servers.update(home.workspace, row);
      expect(await use()).toBe('ghp_first');
    });

    it.each(['token', 'cell'] as const)('lets a %s use values and nothing else', async (kind) => {
      await put('ghp_first');
      const caller: Caller = { workspace: home.workspace, actor: { kind, id: 'x' } };
      expect(await use(shared, caller)).toBe('ghp_first');
      const attempts = [
        () => put('x', shared, caller),
        () => vault.remove(caller, shared),
        () => vault.list(caller, { id: server, slug: 'github' }),
        () => vault.rotateMasterKey(caller),
        () => vault.keyStatus(caller),
      ];
      for (const attempt of attempts) await expect(attempt()).rejects.toMatchObject({ code: 'vault_denied' });
    });

    it('lets a user have their own value and the shared one, and change only their own', async () => {
      const caller: Caller = { workspace: home.workspace, actor: user };
      const mine = { ...shared, owner: user.id };
      const theirs = { ...shared, owner: 'user_2' };
      await put('shared');
      await put('theirs', theirs);
      await put('mine', mine, caller);
      expect(await use(mine, caller)).toBe('mine');
      expect(await use(shared, caller)).toBe('shared');
      for (const attempt of [
        () => use(theirs, caller),
        () => put('x', theirs, caller),
        () => put('x', shared, caller),
      ]) {
        await expect(attempt()).rejects.toMatchObject({ code: 'vault_denied' });
      }
      const listed = await vault.list(caller, { id: server, slug: 'github' });
      expect(listed.map(({ owner }) => owner)).toEqual([null, 'user_1']);
      expect(await eventData('credential.refused')).toHaveLength(3);
    });
  });

  describe('kill switch', () => {
    const kill = { at: 1, by: 'local:0', reason: 'incident 7' };

    it.each([
      ['all', ''],
      ['workspace', ''],
      ['server', 'github'],
      ['token', 'tok1'],
      ['user', 'user_1'],
      ['credential', 'github/TOKEN'],
    ] as const)(
      'stops uses by scope %s, also when another process sets it, until lifted',
      async (scope, target) => {
        const ref = { ...shared, owner: 'user_1' };
        await put('ghp_first');
        expect(await use(ref)).toBe('ghp_first');
        const another = await home.another();
        await another.store.kills.set(home.workspace, { ...kill, scope, target });
        await expect(use(ref)).rejects.toMatchObject({ code: 'kill_active', kind: 'denied' });
        expect((await lastEvent())?.type).toBe('credential.refused');
        expect(await eventData('credential.used')).toHaveLength(1);
        // Whoever cleans up must be able to.
        await put('rotated');
        await another.store.kills.lift(home.workspace, scope, target);
        expect(await use(ref)).toBe('rotated');
      },
    );

    it.each([
      ['server', 'slack'],
      ['token', 'tok2'],
      ['user', 'user_2'],
      ['credential', 'github/OTHER'],
      ['credential', 'slack/TOKEN'],
    ] as const)('leaves others alone: %s %s', async (scope, target) => {
      await put('ghp_first');
      await home.store.kills.set(home.workspace, { ...kill, scope, target });
      await home.store.kills.set(home.other, { ...kill, scope: 'workspace', target: '' });
      await home.store.kills.set(home.other, { ...kill, scope: 'server', target: 'github' });
      expect(await use({ ...shared, owner: 'user_1' })).toBe('ghp_first');
    });

    it('of a credential still lets answers be searched for it, and that opens no other way', async () => {
      await put('ghp_first');
      await home.store.kills.set(home.workspace, { ...kill, scope: 'credential', target: 'github/TOKEN' });
      const scrub = { kind: 'scrub', data: {} } as const;
      for (const purpose of [inject, { ...inject, kind: 'entrust' } as const]) {
        expect((await home.vault.use(home.agent, shared, scrub)).reveal()).toBe('ghp_first');
        await expect(home.vault.use(home.agent, shared, purpose)).rejects.toMatchObject({
          code: 'kill_active',
        });
      }
    });

    it('stops a use whose audit event was already being written', async () => {
      await put('ghp_first');
      const racing = createVault({
        ...home,
        clock: systemClock,
        random: systemRandom,
        log: silentLog,
        audit: {
          append: home.audit.append.bind(home.audit),
          async record(event) {
            const recorded = await home.audit.record(event);
            if (event.type === 'credential.used') {
              await home.store.kills.set(home.workspace, { ...kill, scope: 'all', target: '' });
            }
            return recorded;
          },
        },
      });
      await expect(racing.use(home.agent, shared, inject)).rejects.toMatchObject({ code: 'kill_active' });
    });

    it('keeps the reason inside', async () => {
      await put('ghp_first');
      await home.store.kills.set(home.workspace, { ...kill, scope: 'all', target: '' });
      const error = await use().catch((thrown: unknown) => thrown);
      if (!(error instanceof AppError)) throw new Error('it was not refused');
      expect(error.message).toBe('Everything has been stopped with the kill switch.');
      expect(error.hint).toBe('An owner can lift it: sallyport resume --all');
      expect(error.detail?.['reason']).toBe('incident 7');
    });
  });

  describe('put, list and remove', () => {
    it('counts versions and says who and when, and nothing about the value', async () => {
      const first = await put('ghp_first');
      expect(first).toEqual({
        name: 'TOKEN',
        owner: null,
        version: 1,
        updatedAt: expect.any(Number),
        updatedBy: 'local:0',
      });
      const second = await put('ghp_second');
      expect(second.version).toBe(2);
      expect(await vault.list(home.local, { id: server, slug: 'github' })).toEqual([second]);
      expect(await eventData('secret.set')).toEqual([
        { credential: expect.any(String), name: 'TOKEN', owner: null, version: 1, index: 1 },
        { credential: expect.any(String), name: 'TOKEN', owner: null, version: 2, index: 2 },
      ]);
    });

    it("leaves the caller's Secret alone", async () => {
      const value = Secret.fromString('ghp_first');
      await vault.put(home.local, shared, value);
      expect(value.reveal()).toBe('ghp_first');
    });

    it.each([
      ['an empty name', { name: '' }],
      ['a name that is too long', { name: 'x'.repeat(257) }],
      ['a name that would not come back from the store', { name: '\ud800' }],
      ['an owner that the store takes for nobody', { owner: '' }],
      ['an owner that would not come back', { owner: '\ud800' }],
    ])('refuses %s, and what is there stays', async (_what, change) => {
      await put('ghp_first');
      const attempt = vault.put(home.local, { ...shared, ...change }, Secret.fromString('ghp_other'));
      await expect(attempt).rejects.toMatchObject({ code: 'vault_slot_invalid', kind: 'invalid' });
      using opened = await vault.use(home.agent, shared, { kind: 'scrub', data: {} });
      expect(opened.reveal()).toBe('ghp_first');
    });

    it('refuses an empty value and one that is too long', async () => {
      await expect(put('')).rejects.toMatchObject({ code: 'vault_value_invalid', kind: 'invalid' });
      await expect(put('x'.repeat(65_537))).rejects.toMatchObject({ code: 'vault_value_invalid' });
      await put('x'.repeat(65_536));
    });

    it('removes exactly one slot, audited, and starts anew after it', async () => {
      await put('one');
      const before = await home.store.credentials.find(home.workspace, shared);
      await put('two', { ...shared, name: 'OTHER' });
      await vault.remove(home.local, shared);
      await expect(use()).rejects.toMatchObject({ code: 'vault_credential_missing' });
      expect(await use({ ...shared, name: 'OTHER' })).toBe('two');
      expect(await eventData('secret.deleted')).toEqual([
        { credential: before?.id, name: 'TOKEN', owner: null, version: 1, index: 3 },
      ]);
      await expect(vault.remove(home.local, shared)).rejects.toMatchObject({
        code: 'vault_credential_missing',
      });
      expect((await put('three')).version).toBe(1);
      expect((await home.store.credentials.find(home.workspace, shared))?.id).not.toBe(before?.id);
    });

    it('tells listeners after the change, until they stop listening, whatever they throw', async () => {
      const told: string[] = [];
      vault.onChange(() => {
        throw new Error('a listener with a fault');
      });
      const stop = vault.onChange((ref) => told.push(`${ref.serverSlug}/${ref.name}`));
      await put('one');
      await vault.remove(home.local, shared);
      await expect(vault.remove(home.local, shared)).rejects.toThrow();
      stop();
      await put('two');
      expect(told).toEqual(['github/TOKEN', 'github/TOKEN']);
    });

    it('loses nothing when many change at once, in two processes', async () => {
      const another = await home.another();
      const names = Array.from({ length: 12 }, (_, index) => `NAME_${index}`);
      await Promise.all(
        names.flatMap((name, index) => {
          const ref = { ...shared, name };
          const [mine, theirs] = index % 2 === 0 ? [vault, another.vault] : [another.vault, vault];
          return [
            mine.put(home.local, ref, Secret.fromString(`value-${name}`)),
            theirs.put(home.local, { ...ref, owner: 'user_1' }, Secret.fromString(`own-${name}`)),
          ];
        }),
      );
      for (const name of names) {
        expect(await use({ ...shared, name })).toBe(`value-${name}`);
        expect(await use({ ...shared, name, owner: 'user_1' })).toBe(`own-${name}`);
      }
      expect((await home.audit.verify(home.workspace)).problems).toEqual([]);
    });

    it('prints nothing of what it holds', async () => {
      await put('ghp_very_secret_value');
      await use();
      expect(inspect(vault, { depth: 12, showHidden: true })).not.toContain('ghp_very_secret_value');
      expect(JSON.stringify(await home.events())).not.toContain('ghp_very_secret_value');
    });
  });

  describe('master key', () => {
    it('rotates while another process is serving, and is on record', async () => {
      await put('ghp_first');
      const serving = await home.another();
      const before = await vault.keyStatus(home.local);
      const report = await vault.rotateMasterKey(home.local);
      expect(report.from).toBe(before.keys[0]?.id);
      expect(report.to).not.toBe(report.from);
      // The tenant key for values, and the one for the audit log.
      expect(report.rewrapped).toBe(2);
      using secret = await serving.vault.use(home.agent, shared, inject);
      expect(secret.reveal()).toBe('ghp_first');
      expect(await use()).toBe('ghp_first');
      expect((await vault.keyStatus(home.local)).keys.map(({ id }) => id)).toEqual([report.to]);
      expect((await eventData('key.rotated')).map((data) => data['state'])).toEqual(['started', 'finished']);
      expect((await home.audit.verify(home.workspace)).ok).toBe(true);
    });
  });
});
