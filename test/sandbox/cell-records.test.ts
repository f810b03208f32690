import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type CellId, silentLog } from '../../src/kernel/index.ts';
import { openCellRecords } from '../../src/sandbox/cell-records.ts';
import { killGroup } from '../../src/sandbox/kill.ts';
import { bootId, identify, isAlive, type ProcessIdentity } from '../../src/sandbox/process-identity.ts';

const root = mkdtempSync(join(tmpdir(), 'sallyport-records-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const cell = 'cell_0000000000000000' as CellId;
const self = identify(process.pid) ?? { pid: 0, startTime: '' };
/** Nobody: no process has this number and this time. */
const dead: ProcessIdentity = { pid: process.pid, startTime: '1' };

/** A process that leads a group of its own, as a launcher does. */
function startLeader(): { child: ChildProcess; identity: ProcessIdentity; gone: Promise<unknown> } {
  const child = spawn('/bin/sh', ['-c', 'sleep 600 & wait'], { detached: true, stdio: 'ignore' });
  const gone = new Promise((resolve) => child.once('exit', resolve));
  return { child, identity: identify(child.pid ?? 0) ?? dead, gone };
}

function folderWith(record: unknown, name = `${cell}.json`): string {
  const folder = mkdtempSync(join(root, 'run-'));
  writeFileSync(join(folder, name), typeof record === 'string' ? record : JSON.stringify(record));
  return folder;
}

describe('records of cells', () => {
  it('are there while the cell is, for the owner only, and gone afterwards', () => {
    const folder = join(root, 'fresh');
    const records = openCellRecords(folder, silentLog);
    records.put(cell, process.pid, null);
    records.put(cell, process.pid, self);
    expect(readdirSync(folder)).toEqual([`${cell}.json`]);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(join(folder, `${cell}.json`)).mode & 0o777).toBe(0o600);
    records.remove(cell);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('of a gateway that is gone lead to its processes, which are killed with their group', async () => {
    const { identity, gone } = startLeader();
    const folder = folderWith({ boot: bootId(), gateway: dead, launcher: identity, first: null });
    expect(await openCellRecords(folder, silentLog).sweep()).toBe(1);
    await gone;
    expect(isAlive(identity)).toBe(false);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('lead to what is left when only the launcher is gone', async () => {
    const { identity, gone } = startLeader();
    const launcher = { pid: identity.pid, startTime: '1' };
    const folder = folderWith({ boot: bootId(), gateway: dead, launcher, first: identity });
    expect(await openCellRecords(folder, silentLog).sweep()).toBe(1);
    await gone;
    expect(isAlive(identity)).toBe(false);
    // What it may have started would have ended with its namespace.
    killGroup(identity.pid);
  });

  it('lead to a launcher that leads no group, as behind a terminal', async () => {
    const child = spawn('/bin/sleep', ['600'], { stdio: 'ignore' });
    const gone = new Promise((resolve) => child.once('exit', resolve));
    const launcher = identify(child.pid ?? 0) ?? dead;
    const folder = folderWith({ boot: bootId(), gateway: dead, launcher, first: null });
    expect(await openCellRecords(folder, silentLog).sweep()).toBe(1);
    await gone;
    expect(child.signalCode).toBe('SIGKILL');
  });

  it('lead to what is left past a group that got the number of the launcher since', async () => {
    const [left, bystander] = [startLeader(), startLeader()];
    const launcher = { ...bystander.identity, startTime: '1' };
    const folder = folderWith({ boot: bootId(), gateway: dead, launcher, first: left.identity });
    expect(await openCellRecords(folder, silentLog).sweep()).toBe(1);
    await left.gone;
    expect(isAlive(bystander.identity)).toBe(true);
    for (const { pid } of [left.identity, bystander.identity]) killGroup(pid);
    await bystander.gone;
  });

  it.each([
    [
      'a process that got the number of a launcher since',
      (identity: ProcessIdentity) => ({
        boot: bootId(),
        gateway: dead,
        launcher: { ...identity, startTime: '1' },
        first: null,
      }),
    ],
    [
      'a process of another boot',
      (identity: ProcessIdentity) => ({ boot: 'another', gateway: dead, launcher: identity, first: null }),
    ],
    [
      'a process that a broken record names',
      (identity: ProcessIdentity) => ({ boot: bootId(), launcher: identity }),
    ],
  ])('never kill %s, and are forgotten', async (_what, record) => {
    const { child, identity, gone } = startLeader();
    const folder = folderWith(record(identity));
    await openCellRecords(folder, silentLog).sweep();
    expect(isAlive(identity)).toBe(true);
    expect(readdirSync(folder)).toEqual([]);
    process.kill(-(child.pid ?? 0), 'SIGKILL');
    await gone;
  });

  it('of a gateway that runs are left alone', async () => {
    const { child, identity, gone } = startLeader();
    const folder = folderWith({ boot: bootId(), gateway: self, launcher: identity, first: null });
    expect(await openCellRecords(folder, silentLog).sweep()).toBe(0);
    expect(isAlive(identity)).toBe(true);
    expect(existsSync(join(folder, `${cell}.json`))).toBe(true);
    process.kill(-(child.pid ?? 0), 'SIGKILL');
    await gone;
  });

  it('that are not JSON, or were never finished, are removed', async () => {
    const garbage = folderWith('{"boot":');
    expect(await openCellRecords(garbage, silentLog).sweep()).toBe(0);
    expect(readdirSync(garbage)).toEqual([]);
    const unfinished = folderWith('', `${cell}.json.${dead.pid}.${dead.startTime}`);
    expect(await openCellRecords(unfinished, silentLog).sweep()).toBe(0);
    expect(readdirSync(unfinished)).toEqual([]);
    const pipe = folderWith('', `${cell}.stdin.${dead.pid}.${dead.startTime}`);
    expect(await openCellRecords(pipe, silentLog).sweep()).toBe(0);
    expect(readdirSync(pipe)).toEqual([]);
    const kept = openCellRecords(pipe, silentLog);
    writeFileSync(kept.momentary(cell, 'stdin'), '');
    expect(await kept.sweep()).toBe(0);
    expect(readdirSync(pipe)).toHaveLength(1);
    const beingWritten = folderWith('', `${cell}.json.${self.pid}.${self.startTime}`);
    expect(await openCellRecords(beingWritten, silentLog).sweep()).toBe(0);
    expect(readdirSync(beingWritten)).toHaveLength(1);
  });
});
