/**
 * ATTACKS 24, 25: recorded sessions in the hands of a thief with the database, or of somebody who can write to it. That what
 * is changed within a session is named, `recording/reader` shows chunk by chunk.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLog, systemClock, type WorkspaceId } from '../../src/kernel/index.ts';
import { sweepRecordings } from '../../src/main/recording/retention.ts';
import { databaseOf, type World } from '../api/world.ts';
import type { Terminal } from '../cli/terminal.ts';
import { ownProgram } from '../own-process.ts';
import { operatorWorld, type OperatorWorld } from '../recording/operator-world.ts';

let world: World;
let terminal: Terminal;
let recorded: OperatorWorld['recorded'];
let show: OperatorWorld['show'];
let sql: OperatorWorld['sql'];

beforeEach(async () => {
  ({ world, terminal, recorded, show, sql } = await operatorWorld());
});
afterEach(() => world.close());

describe('recordings at rest', () => {
  it('nothing of what was said is to be found in the database, and a stored value not even in the recording', async () => {
    const value = ['pk', 'live', 'Zk3v9QmB7xTt41Lr'].join('_');
    expect((await terminal.runWith(value, 'secret', 'set', 'echo', 'API_KEY', '--stdin')).code).toBe(0);
    const id = await recorded([
      `a word like xylophonist, and ${value}, and ${Buffer.from(value).toString('base64')}`,
    ]);
    const shown = JSON.stringify(await show(id));
    expect(shown).toContain('xylophonist');
    expect(shown).not.toContain(value);
    expect(shown).not.toContain(Buffer.from(value).toString('base64'));
    await world.services.store.check();
    const path = databaseOf(world);
    const bytes = Buffer.concat([readFileSync(path), readFileSync(`${path}-wal`)]);
    // The control: what is no secret is there to be found.
    expect(bytes.includes(id)).toBe(true);
    for (const hidden of ['xylophonist', value, 'tools/call']) expect(bytes.includes(hidden)).toBe(false);
  });

  it('what was cut short is found out by the audit log, also where its row says that it goes on', async () => {
    const id = await recorded(['a', 'b']);
    await recorded(['c']);
    expect((await show(id)).checked.faults).toEqual([]);
    sql(
      'delete from recording_chunks where recording_id = ? and sequence = (select max(sequence) from recording_chunks where recording_id = ?)',
      id,
      id,
    );
    sql('update recordings set ended_at = null where id = ?', id);
    const ran = await terminal.run('session', 'show', id);
    expect(ran.code).toBe(1);
    expect(ran.stdout).toContain('it was ended, and its end is gone');
  });

  it('a row with the key of another one opens nothing', async () => {
    const first = await recorded(['a']);
    await recorded(['b']);
    sql(
      'update recordings set data_key = (select data_key from recordings where id <> ?) where id = ?',
      first,
      first,
    );
    const ran = await terminal.run('session', 'show', first);
    expect(ran.code).toBe(1);
    expect(ran.stderr).toContain('error:');
    expect(ran.stdout).not.toContain('said');
  });

  it('what is too old goes, then the oldest while there is too much; what still grows stays', async () => {
    const [a, b] = [await recorded(['a']), await recorded(['b'])];
    const growing = await recorded(['c'], false);
    const { store, audit, workspace } = world.services;
    const sweep = (
      keepDays: number | null,
      keepMiB: number | null,
      now = systemClock.now(),
      grows = world.recordings.growing(),
    ) =>
      sweepRecordings({
        workspace,
        recordings: store.recordings,
        audit,
        keepDays,
        keepMiB,
        growing: () => grows,
        clock: { now: () => now, monotonic: () => 0 },
        log: silentLog,
      });
    const ids = async (of: WorkspaceId) => (await store.recordings.sizes(of)).map((one) => one.id);
    await sweep(1, 100);
    expect(new Set(await ids(workspace))).toEqual(new Set([a, b, growing]));
    await sweep(null, 0.000_001);
    // Nor what another process may go on with.
    await sweep(null, 0.000_001, systemClock.now(), new Set());
    expect(await ids(workspace)).toEqual([growing]);
    await world.recordings.close();
    await sweep(1, null, systemClock.now() + 2 * 86_400_000);
    expect(await ids(workspace)).toEqual([]);
    expect((await world.types()).filter((type) => type === 'recording.removed')).toHaveLength(3);
  });

  it('a session that goes on is not deleted under its recorder', async () => {
    const id = await recorded(['a'], false);
    const ran = await terminal.run('session', 'delete', id);
    expect([ran.code, ran.stderr]).toEqual([1, expect.stringContaining('This session still goes on.')]);
  });

  it('a gateway that is killed leaves what it wrote, and its recording says that the end is missing', async () => {
    const program = ownProgram(join(import.meta.dirname, '../recording/killed-recorder-child.ts'));
    const child = spawn(process.execPath, [...program, world.config.home], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let written = 0;
    for await (const told of createInterface(child.stdout)) {
      written = Number(told);
      if (written >= 20) break;
    }
    child.kill('SIGKILL');
    await once(child, 'close');
    const [found] = (await terminal.json('session', 'list')) as { id: string }[];
    const { lines, checked } = await show(found?.id ?? '');
    expect(checked).toEqual({ kind: 'checked', end: 'missing', faults: [] });
    expect(lines.filter(({ kind }) => kind === 'call').length).toBeGreaterThanOrEqual(written);
    expect(lines.some(({ kind }) => kind === 'end')).toBe(false);
    const text = await terminal.run('session', 'show', found?.id ?? '');
    expect([text.code, text.stdout]).toEqual([0, expect.stringContaining('Its end is missing')]);
  });
});
