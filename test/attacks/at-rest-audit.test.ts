/**
 * ATTACKS 24, audit: the log truncated, reordered, edited or put back by somebody who writes to the database, and what
 * `sallyport audit verify` says of it: from a process that starts afterwards and, where only that one can know, from
 * the one that was running.
 */
import { execFile } from 'node:child_process';
import { copyFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Secret } from '../../src/kernel/index.ts';
import type { CredentialRef } from '../../src/vault/index.ts';
import { readCheckpointLines } from '../../src/audit/index.ts';
import { makeProductHome, type ProductHome } from './product-home.ts';

const PROGRAM = join(import.meta.dirname, '../../bin/sallyport.mjs');
const EVENTS = 12;

let home: ProductHome;
let ref: CredentialRef;

beforeEach(async () => {
  home = await makeProductHome();
  ref = { server: await home.addServer('github'), serverSlug: 'github', name: 'TOKEN', owner: null };
  await home.vault.put(home.local, ref, Secret.fromString('value'));
  for (let n = 2; n <= EVENTS; n += 1) await use();
});

afterEach(async () => {
  await home.dispose();
});

/** Uses the credential, which is recorded first. */
async function use(): Promise<void> {
  (await home.vault.use(home.agent, ref, { kind: 'inject', data: { host: 'api.github.com' } })).destroy();
}

/** Code and sequence of each problem that a process finds which starts now. */
async function found(): Promise<string[]> {
  const { problems } = await (await home.another()).audit.verify(home.workspace);
  return problems.map(({ code, sequence }) => `${code} ${sequence}`);
}

/** A command of a process that starts now. */
const command = (...words: string[]): Promise<{ code: number | string | null | undefined; out: string }> =>
  new Promise((resolve) => {
    const env = { PATH: process.env['PATH'], SALLYPORT_HOME: home.directory };
    execFile(process.execPath, [PROGRAM, ...words], { env }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : error.code, out: stdout + stderr }),
    );
  });

/** Two events change places, content and all. */
const swapSequences = (a: number, b: number): string => `
  update audit_events set sequence = 1000 where sequence = ${a};
  update audit_events set sequence = ${a} where sequence = ${b};
  update audit_events set sequence = ${b} where sequence = 1000;`;

describe('the audit log', () => {
  it('verifies as long as nobody touches it (the control)', async () => {
    expect(await found()).toEqual([]);
    home.edit(swapSequences(3, 7));
    home.edit(swapSequences(3, 7));
    expect(await found()).toEqual([]);
  });

  it.each<[string, string, string[]]>([
    ['data edited', `update audit_events set data = '{}' where sequence = 4`, ['event_edited 4']],
    [
      'the actor edited',
      `update audit_events set actor = '{"kind":"local","id":"0"}' where sequence = 4`,
      ['event_edited 4'],
    ],
    ['no JSON any more', `update audit_events set data = '{' where sequence = 4`, ['event_edited 4']],
    [
      'a time that is no number of ours',
      `update audit_events set at = 9007199254740993 where sequence = 4`,
      ['event_unreadable 4'],
    ],
    ['the server edited', `update audit_events set server = 'gitlab' where sequence = 4`, ['event_edited 4']],
    ['one event deleted', 'delete from audit_events where sequence = 4', ['event_missing 4']],
    ['the end cut off', `delete from audit_events where sequence > 9`, ['chain_truncated 10']],
    ['neighbours changed', swapSequences(4, 5), ['event_moved 4', 'event_moved 5', 'link_broken 6']],
    [
      'one moved out of the way, far behind the end',
      `update audit_events set sequence = 9007199254740993 where sequence = 4`,
      ['event_missing 4', 'events_after_head 13'],
    ],
    [
      'the head set back without its MAC',
      `delete from audit_events where sequence > 9;
      update audit_heads set sequence = 9, hash = (select hash from audit_events where sequence = 9)`,
      ['head_mac_wrong 9'],
    ],
    [
      'the head replaced by that of another workspace',
      `update audit_heads set (sequence, hash, mac) = (select 3, hash, randomblob(32) from audit_events where sequence = 3)`,
      ['events_after_head 4', 'head_mac_wrong 3'].toReversed(),
    ],
    [
      'rows swapped with all that they say but their places',
      `create temp table kept as select * from audit_events where sequence in (5, 9);
      update audit_events set (at, type, actor, server, data, previous, hash) =
        (select at, type, actor, server, data, previous, hash from kept where sequence = 14 - audit_events.sequence)
      where sequence in (5, 9)`,
      ['event_moved 5', 'link_broken 6', 'event_moved 9', 'link_broken 10'],
    ],
    [
      'one replaced by a copy of another',
      `update audit_events set (at, type, actor, server, data, previous, hash) =
        (select at, type, actor, server, data, previous, hash from audit_events as e where e.sequence = 3) where sequence = 8`,
      ['event_moved 8', 'link_broken 9'],
    ],
    ['the head deleted', 'delete from audit_heads', ['head_missing 1']],
    ['the beginning cut off', 'delete from audit_events where sequence < 4', ['event_missing 1']],
  ])('shows %s', async (_what, sql, problems) => {
    home.edit(sql);
    expect(await found()).toEqual(problems);
  });

  it('says so with exit code 1, and with 0 where nothing is wrong', async () => {
    expect(await command('audit', 'verify')).toMatchObject({ code: 0 });
    home.edit(`update audit_events set data = '{}' where sequence = 4`);
    expect(await command('audit', 'verify')).toMatchObject({
      code: 1,
      out: expect.stringContaining('Event 4 was edited') as string,
    });
  });

  it('stops every further use where the head was forged: nothing is used that cannot be recorded', async () => {
    home.edit(`update audit_heads set mac = zeroblob(32)`);
    const after = await home.another();
    const attempt = after.vault.use(home.agent, ref, { kind: 'inject', data: {} });
    await expect(attempt).rejects.toMatchObject({
      code: 'audit_unavailable',
      detail: { reason: 'audit_head_forged' },
    });
  });

  it('put back to a genuine older state is seen by the gateway that was running, and stops it', async () => {
    const raw = new DatabaseSync(home.database);
    const old = raw.prepare('select sequence, hash, mac from audit_heads').get() ?? {};
    for (let n = 0; n < 5; n += 1) await use();
    raw.exec(`delete from audit_events where sequence > ${EVENTS}; delete from audit_checkpoints`);
    raw.prepare('update audit_heads set sequence = ?, hash = ?, mac = ?').run(...Object.values(old));
    raw.close();
    await expect(use()).rejects.toMatchObject({
      code: 'audit_unavailable',
      detail: { reason: 'audit_rolled_back' },
    });
    const { problems } = await home.audit.verify(home.workspace);
    expect(problems).toMatchObject([
      { code: 'chain_rolled_back', sequence: EVENTS + 1, through: EVENTS + 5 },
    ]);
    // What only a checkpoint that was kept elsewhere shows to a process that starts now.
    expect(await found()).toEqual([]);
  });

  it('put back to an older state is found by whoever kept a checkpoint outside', async () => {
    const raw = new DatabaseSync(home.database);
    const old = raw.prepare('select sequence, hash, mac from audit_heads').get() ?? {};
    await use();
    const kept = await home.audit.checkpoint(home.workspace);
    if (kept === null) throw new Error('no checkpoint');
    raw.exec(`delete from audit_events where sequence > ${EVENTS}; delete from audit_checkpoints`);
    raw.prepare('update audit_heads set sequence = ?, hash = ?, mac = ?').run(...Object.values(old));
    raw.close();
    const { audit } = await home.another();
    expect((await audit.verify(home.workspace)).problems).toEqual([]);
    const report = await audit.verify(home.workspace, { anchors: [kept] });
    expect(report.problems).toMatchObject([{ code: 'checkpoint_ahead', sequence: EVENTS + 1 }]);
  });

  it('put back from a backup is named by the command that is given a checkpoint of before, and by none without', async () => {
    const backup = join(home.directory, 'backup.db');
    home.edit(`vacuum into '${backup}'`);
    await use();
    const signed = await command('audit', 'checkpoint');
    expect(signed.code).toBe(0);
    const [kept] = readCheckpointLines(signed.out) ?? [];
    expect(kept).toMatchObject({ sequence: EVENTS + 1, workspace: home.workspace });
    const file = join(home.directory, 'checkpoint.jsonl');
    writeFileSync(file, `{"sequence":1,"type":"server.added"}\n${signed.out}`);
    expect(await command('audit', 'verify', '--checkpoint', file), 'the control').toMatchObject({ code: 0 });
    await home.close();
    for (const end of ['-wal', '-shm']) rmSync(home.database + end, { force: true });
    copyFileSync(backup, home.database);
    expect(await command('audit', 'verify')).toMatchObject({ code: 0 });
    expect(await command('audit', 'verify', '--checkpoint', file)).toMatchObject({
      code: 1,
      out: expect.stringContaining(
        `event ${EVENTS + 1}: A signed checkpoint names event ${EVENTS + 1}`,
      ) as string,
    });
    // One that somebody else made up is not believed, nor passed over.
    const forged = JSON.stringify({ ...kept, type: 'audit.checkpoint', sequence: 3 });
    writeFileSync(file, forged);
    expect(await command('audit', 'verify', '--checkpoint', file)).toMatchObject({
      code: 1,
      out: expect.stringContaining('checkpoint_signature_wrong') as string,
    });
    for (const nothing of ['{"type":"audit.checkpoint"}', '{}']) {
      writeFileSync(file, nothing);
      expect(await command('audit', 'verify', '--checkpoint', file)).toMatchObject({
        code: 2,
        out: expect.stringContaining('error: ') as string,
      });
    }
  });
});
