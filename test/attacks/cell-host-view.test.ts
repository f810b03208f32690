/** ATTACKS 1: what `/proc` tells a program in a cell about the host. */
import { existsSync, readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { makeStage, modes, outcomes, runCell } from './cell-harness.ts';

const stage = makeStage();
afterAll(() => stage.remove());

const files = `
  cmdline diskstats interrupts kallsyms kcore key-users keys latency_stats partitions sched_debug timer_list timer_stats
`;
const folders = ['acpi', 'asound', 'scsi'];
/** Nothing else of these may be opened either, with or without a mask: they are the root user's. */
const roots = ['kmsg', 'kpagecount', 'slabinfo', 'vmallocinfo', 'sysrq-trigger'];

const present = (names: readonly string[]) => names.filter((name) => existsSync(`/proc/${name}`));
const hiddenFiles = present(files.trim().split(/\s+/));

const probe = `
  const fs = require('node:fs');
  const [files, folders] = JSON.parse(process.argv[1]);
  const outcome = (attempt) => { try { return attempt(); } catch (error) { return error.code; } };
  const all = [
    ...files.map((name) => [name, outcome(() => (fs.closeSync(fs.openSync('/proc/' + name)), 'ok'))]),
    ...folders.map((name) => [name, outcome(() => String(fs.readdirSync('/proc/' + name).length))]),
  ];
  console.log(JSON.stringify(Object.fromEntries(all)));`;

describe('the host, seen through /proc', () => {
  it('control: outside, the keys of a user and the start of the kernel are there to be read', () => {
    expect(hiddenFiles).toEqual(expect.arrayContaining(['cmdline', 'keys']));
    expect(readFileSync('/proc/cmdline', 'latin1')).not.toBe('');
    expect(() => readFileSync('/proc/keys', 'latin1')).not.toThrow();
  });

  it.each(modes)('is not there in a cell, gateway as %s', async (mode) => {
    const names = [[...hiddenFiles, ...present(roots)], present(folders)];
    const { stdout } = await runCell(stage, mode, { command: ['node', '-e', probe, JSON.stringify(names)] });
    expect(outcomes(stdout)).toEqual({
      ...Object.fromEntries([...hiddenFiles, ...present(roots)].map((name) => [name, 'EACCES'])),
      ...Object.fromEntries(present(folders).map((name) => [name, '0'])),
    });
  });

  it.each(modes)('ordinary programs still find what they ask for, gateway as %s', async (mode) => {
    const ask = `const os = require('node:os');
      console.log(JSON.stringify({ cpus: String(os.cpus().length > 0), memory: String(os.totalmem() > 0), up: String(os.uptime() > 0) }));`;
    const { stdout } = await runCell(stage, mode, { command: ['node', '-e', ask] });
    expect(outcomes(stdout)).toEqual({ cpus: 'true', memory: 'true', up: 'true' });
  });
});
