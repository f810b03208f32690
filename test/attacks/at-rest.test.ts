/**
 * ATTACKS 24, files: what a thief of the whole folder but the master key reads in it, its backups included: no secret,
 * no token and no key, in any encoding.
 */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { toJsonLine } from '../../src/audit/index.ts';
import { Secret, systemClock, systemRandom } from '../../src/kernel/index.ts';
import { createKeyRing, localKeyProvider } from '../../src/seal/index.ts';
import type { CredentialRef } from '../../src/vault/index.ts';
import { type Needle, needlesOf, tracesIn } from '../catalog/secret-traces.ts';
import { makeProductHome, type ProductHome } from './product-home.ts';

const OLD = 'ghp_old+Value/of=the?Token&"1234567890"';
const NEW = 'ghp_new+Value/of=the?Token&"0987654321"';
const OWN = 'ghp_own+Value/of=the?Token&"5647382910"';
const GONE = 'ghp_gone+Value/of=the?Token&"10293847"';

/** Random bytes of the size of a key: everything of that size that the product drew is one. */
const KEY_BYTES = 32;

describe('at rest', () => {
  let home: ProductHome;
  let keys: Buffer[];
  /** Live, revoked, and the two of a rotation. */
  let tokens: string[];

  beforeEach(async () => {
    keys = [];
    const draw = systemRandom.bytes.bind(systemRandom);
    vi.spyOn(systemRandom, 'bytes').mockImplementation((length) => {
      const bytes = draw(length);
      if (length === KEY_BYTES) keys.push(Buffer.from(bytes));
      return bytes;
    });
    home = await makeProductHome();
    const server = await home.addServer('github');
    const shared: CredentialRef = { server, serverSlug: 'github', name: 'TOKEN', owner: null };
    const own = { ...shared, owner: 'user_1' };
    const gone = { ...shared, name: 'GONE' };
    for (const [ref, value] of [
      [shared, OLD],
      [own, OWN],
      [gone, GONE],
    ] as const) {
      await home.vault.put(home.local, ref, Secret.fromString(value));
    }
    for (const ref of [shared, own, gone]) {
      const opened = await home.vault.use(home.agent, ref, {
        kind: 'inject',
        data: { host: 'api.github.com' },
      });
      opened.destroy();
    }
    await home.vault.put(home.local, shared, Secret.fromString(NEW));
    await home.vault.remove(home.local, gone);
    await home.vault.rotateMasterKey(home.local);
    const parts = { random: systemRandom, clock: systemClock };
    const provider = localKeyProvider({ file: home.keyFile, ...parts });
    await createKeyRing({ provider, store: home.store.tenantKeys, ...parts }).renewTenantKey(home.workspace);
    await home.vault.put(home.local, own, Secret.fromString(OWN));
    tokens = await useTokens();
  });

  afterEach(async () => {
    vi.restoreAllMocks();
    await home.dispose();
  });

  async function useTokens(): Promise<string[]> {
    const made = [];
    for (const agent of ['live', 'revoked', 'rotated']) {
      const { id, token } = await home.tokens.create(home.local, { profile: 'default', agent });
      await home.tokens.verify(token.reveal(), '127.0.0.1');
      made.push({ id, text: token.reveal() });
    }
    const [live, revoked, rotated] = made;
    if (live === undefined || revoked === undefined || rotated === undefined) throw new Error('no token');
    await home.tokens.revoke(home.local, revoked.id);
    const next = (await home.tokens.rotate(home.local, rotated.id)).token.reveal();
    // A mistyped one, whose text nobody may keep either.
    await expect(home.tokens.verify(`${live.text}x`, '127.0.0.1')).rejects.toThrow();
    await expect(home.tokens.verify(revoked.text, '127.0.0.1')).rejects.toThrow();
    return [live.text, revoked.text, rotated.text, next];
  }

  /** Every file of the installation but the master key: the database, its log, and what lies beside them. */
  const files = (): [string, Buffer][] =>
    readdirSync(home.directory)
      .filter((name) => !name.startsWith('master.key') && statSync(join(home.directory, name)).isFile())
      .map((name) => [name, readFileSync(join(home.directory, name))]);
  const traces = (needles: readonly Needle[]): string[] =>
    files().flatMap(([name, bytes]) => tracesIn(bytes, needles).map((encoding) => `${name}: ${encoding}`));
  const secretNeedles = [OLD, NEW, OWN, GONE].flatMap((secret) => needlesOf(secret, 'ghp_'));
  /** A token's id may be seen, what follows it may not. */
  const tokenNeedles = (): Needle[] =>
    tokens.flatMap((token) => needlesOf(token.slice(token.lastIndexOf('_') + 1)));
  const keyNeedles = () =>
    keys.flatMap((key) => [
      { encoding: 'raw', bytes: key },
      ...(['hex', 'base64', 'base64url'] as const).map((encoding) => ({
        encoding,
        // Without the last group, whose characters depend on the padding.
        bytes: Buffer.from(key.toString(encoding).slice(0, 40)),
      })),
    ]);

  it('no secret, old, new, of a user or deleted, is in any file in any encoding, before and after the close', async () => {
    expect(files().map(([name]) => name)).toContain('sallyport.db-wal');
    expect(traces(secretNeedles)).toEqual([]);
    await home.close();
    expect(files().map(([name]) => name)).toEqual(['sallyport.db', 'sallyport.yaml']);
    expect(traces(secretNeedles)).toEqual([]);
  });

  it('no token is either, live, revoked, rotated or mistyped', async () => {
    expect(new Set(tokens).size).toBe(4);
    expect(traces(tokenNeedles())).toEqual([]);
    await home.close();
    expect(traces(tokenNeedles())).toEqual([]);
    const ids = tokens.map((token) => ({ encoding: 'id', bytes: Buffer.from(token.slice(6, 22)) }));
    for (const id of ids) expect(traces([id])).toEqual(['sallyport.db: id']);
  });

  it('nor is anything of these in a backup, made while it runs or after', async () => {
    const everything = () => [...secretNeedles, ...tokenNeedles(), ...keyNeedles()];
    const raw = new DatabaseSync(home.database);
    raw.exec(`vacuum into '${join(home.directory, 'running.backup')}'`);
    raw.close();
    expect(files().map(([name]) => name)).toContain('running.backup');
    await home.close();
    writeFileSync(join(home.directory, 'stopped.backup'), readFileSync(home.database));
    expect(traces(everything())).toEqual([]);
  });

  it('no key of any level is either', async () => {
    // Two master keys, three tenant keys, and a data key for each of the 5 values and 6 indexes.
    expect(keys.length).toBeGreaterThanOrEqual(16);
    expect(traces(keyNeedles())).toEqual([]);
    await home.close();
    expect(traces(keyNeedles())).toEqual([]);
  });

  it('nor is one in what the audit log exports', async () => {
    let exported = '';
    for await (const event of home.audit.export(home.workspace)) exported += toJsonLine(event);
    expect(exported).toContain('credential.used');
    expect(exported).toContain('token.refused');
    expect(tracesIn(Buffer.from(exported), [...secretNeedles, ...tokenNeedles()])).toEqual([]);
  });

  it('would be found if it were (the control)', async () => {
    for (const needle of [...needlesOf(NEW), ...tokenNeedles(), ...keyNeedles().slice(0, 4)]) {
      const planted = Buffer.concat([Buffer.from('before'), needle.bytes, Buffer.from('after')]);
      const raw = new DatabaseSync(home.database);
      raw.prepare('insert into meta values (?, hex(zeroblob(0)))').run('planted');
      raw.prepare('update credentials set updated_by = cast(? as text)').run(planted);
      raw.prepare(`delete from meta where key = 'planted'`).run();
      raw.close();
      expect(traces([needle]), needle.encoding).not.toEqual([]);
    }
    writeFileSync(join(home.directory, 'crash.log'), Buffer.concat([Buffer.from('x'), Buffer.from(NEW)]));
    expect(traces(needlesOf(NEW))).toContain('crash.log: raw');
  });

  it('deleted ciphertext is overwritten in the file', async () => {
    const row = await home.store.credentials.list(home.workspace);
    const raw = new DatabaseSync(home.database);
    const found = raw.prepare('select value from credentials where id = ?').get(row[0]?.id ?? '')?.['value'];
    raw.close();
    if (!(found instanceof Uint8Array)) throw new Error('no bytes');
    const server = row[0]?.server;
    if (server === undefined) throw new Error('no row');
    for (const { name, owner } of row) {
      await home.vault.remove(home.local, { server, serverSlug: 'github', name, owner });
    }
    await home.close();
    expect(readFileSync(home.database).includes(Buffer.from(found))).toBe(false);
  });
});
