/** The audit log as a gateway writes it: in a thread of its own, on the home's own database. Nothing stands in. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AuditEvent, RecordedEvent } from '../../src/audit/index.ts';
import { Secret, silentLog, type WorkspaceId } from '../../src/kernel/index.ts';
import { loadConfig } from '../../src/main/index.ts';
import { openServices, type Services } from '../../src/main/services.ts';
import { makeProductHome, type ProductHome } from '../attacks/product-home.ts';

const CHILD = fileURLToPath(new URL('recording-child.ts', import.meta.url));
const event = (workspace: WorkspaceId, n: number): AuditEvent => ({
  workspace,
  type: 'egress.finished',
  actor: { kind: 'cell', id: 'cel_1' },
  data: { n },
});

describe.each(['grouped', 'strict'] as const)('an audit log in a thread, %s', (durability) => {
  let home: ProductHome;
  let services: Services;

  beforeEach(async () => {
    home = await makeProductHome();
    const config = loadConfig({
      SALLYPORT_HOME: home.directory,
      SALLYPORT_AUDIT_DURABILITY: durability,
    });
    services = await openServices(config, silentLog, { auditWriter: 'thread' });
  });

  afterEach(async () => {
    await services.close();
    await home.dispose();
  });

  it('records in order, beside a process that records as well', async () => {
    const { audit, workspace } = services;
    const before = (await home.events()).length;
    const mine = Array.from({ length: 50 }, (_, n) => audit.append(event(workspace, n)));
    const theirs = Array.from({ length: 50 }, (_, n) => home.audit.append(event(workspace, 100 + n)));
    const sequences = (await Promise.all([...mine, ...theirs])).map(({ sequence }) => sequence);
    expect(sequences.toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 100 }, (_, n) => before + 1 + n),
    );
    const numbers = (await home.events()).slice(before).map(({ data }) => Number(data['n']));
    expect(numbers.filter((n) => n < 100)).toEqual(Array.from({ length: 50 }, (_, n) => n));
    for (const log of [audit, home.audit]) expect((await log.verify(workspace)).problems).toEqual([]);
  });

  it('has a use of a credential on record when the value comes out', async () => {
    const server = await home.addServer('github');
    const ref = { server, serverSlug: 'github', name: 'TOKEN', owner: null };
    await home.vault.put(home.local, ref, Secret.fromString('ghp_first'));
    const used = async (): Promise<RecordedEvent[]> =>
      (await home.events()).filter(({ type }) => type === 'credential.used');
    for (let use = 1; use <= 3; use++) {
      using secret = await services.vault.use(home.agent, ref, { kind: 'inject', data: { use } });
      expect(secret.reveal()).toBe('ghp_first');
      expect((await used()).map(({ data }) => data['for'])).toEqual(
        Array.from({ length: use }, (_, n) => ({ use: n + 1 })),
      );
    }
  });

  it('leaves this thread to do other things', async () => {
    const { audit, store, workspace } = services;
    Object.assign(store.audit, { append: () => Promise.reject(new Error('written by this thread')) });
    expect(await audit.append(event(workspace, 1))).toMatchObject({ data: { n: 1 } });
  });

  it('signs a checkpoint at its end, and refuses what comes later', async () => {
    const { audit, workspace } = services;
    await audit.record(event(workspace, 1));
    await services.close();
    const head = await home.store.audit.head(workspace);
    expect((await home.store.audit.checkpoints(workspace)).at(-1)?.sequence).toBe(head?.sequence);
    await expect(audit.record(event(workspace, 2))).rejects.toMatchObject({
      code: 'audit_unavailable',
      detail: { reason: 'audit_closed' },
    });
  });

  it('lets go of the database when it is closed', async () => {
    await services.audit.append(event(services.workspace, 1));
    await Promise.all(
      Array.from({ length: 20 }, (_, n) => services.audit.append(event(services.workspace, n))),
    );
    await services.close();
    expect(existsSync(`${home.database}-wal`)).toBe(true); // the other process is there
    await home.close();
    expect(existsSync(`${home.database}-wal`)).toBe(false);
  });

  it('has everything that it acknowledged after kill -9', async () => {
    const { workspace } = services;
    const child = spawn(process.execPath, [CHILD, home.directory, durability], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let last = -1;
    for await (const line of createInterface({ input: child.stdout })) {
      last = Number(line);
      if (last >= 400) child.kill('SIGKILL');
    }
    if (child.signalCode === null) await once(child, 'exit');
    expect(child.signalCode).toBe('SIGKILL');
    const numbers = new Set((await home.events()).map(({ data }) => data['n']));
    expect(Array.from({ length: last + 1 }, (_, n) => n).filter((n) => !numbers.has(n))).toEqual([]);
    expect((await home.audit.verify(workspace)).problems).toEqual([]);
    // The log goes on from there, here as well.
    await services.audit.record(event(workspace, -1));
    expect((await services.audit.verify(workspace)).problems).toEqual([]);
  });
});

describe('an audit log whose thread cannot start', () => {
  it('records nothing, and says so', async () => {
    const home = await makeProductHome();
    const { auditThread } = await import('../../src/main/audit-thread.ts');
    const lines: string[] = [];
    const scribe = auditThread({
      database: `${home.directory}/no/such.db`,
      key: Secret.fromBytes(Buffer.alloc(32)),
      durability: 'grouped',
      log: { ...silentLog, error: (what) => void lines.push(what) },
    });
    const { workspace } = home;
    const prepared = {
      at: 1,
      type: 'egress.finished',
      actorKind: 'cell',
      actorId: 'c',
      server: null,
      data: '{}',
    } as const;
    await expect(scribe.write(workspace, [prepared], false)).rejects.toMatchObject({
      code: 'audit_writer_gone',
    });
    expect(lines).toEqual(['audit_writer_gone']);
    await home.dispose();
  });
});
