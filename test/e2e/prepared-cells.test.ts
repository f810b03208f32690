/** A whole gateway that keeps cells prepared for the servers it has. */
import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { descendants } from '../attacks/host-processes.ts';
import { type Home, makeHome, proberManifest, waitFor } from './harness.ts';

const home = makeHome('cells: { prepared: 1 }\n');
const without = makeHome('cells: { prepared: 0 }\n');

beforeAll(async () => {
  for (const each of [home, without]) {
    // A gateway that is root has to show its cells what they could not reach, which no prepared one was shown.
    chmodSync(dirname(each.path), 0o755);
    await each.run('init');
    writeFileSync(join(each.path, 'prober.json'), proberManifest(each, { required: false }));
    await each.json('server', 'add', join(each.path, 'prober.json'));
  }
});
afterAll(() => {
  home.remove();
  without.remove();
});

/** Records of those that are done. */
const prepared = (of: Home) => {
  const folder = join(of.path, 'run/prepared');
  const isDone = (name: string): boolean => {
    try {
      return !readFileSync(join(folder, name), 'utf8').includes('"first":null');
    } catch {
      return false; // taken, or given up, since it was listed
    }
  };
  return readdirSync(folder).filter((name) => name.endsWith('.json') && isDone(name));
};
const cells = (of: Home) => readdirSync(join(of.path, 'run/cells'));

/** What the log says of each start: whether it was that of a prepared cell. */
const starts = (log: string): readonly boolean[] =>
  log
    .split('\n')
    .filter((line) => line.includes('cell.ready'))
    .map((line) => (JSON.parse(line) as { prepared: boolean }).prepared);

describe('a gateway', () => {
  it('has a cell ready for its servers before the first call, and again after it', async () => {
    const gateway = await home.serve();
    await waitFor(() => prepared(home).length === 1);
    expect((await home.run('call', 'prober', 'echo', '{"a":1}')).stdout).toBe('{"a":1}\n');
    expect(starts(gateway.log())).toEqual([true]);
    expect(cells(home)).toHaveLength(1);
    await waitFor(() => prepared(home).length === 1);
    expect(await gateway.stop()).toBe(0);
    expect([...cells(home), ...prepared(home)]).toEqual([]);
    expect(descendants(gateway.process.pid ?? 0)).toEqual([]);
  });

  it('has none for a server that is disabled', async () => {
    await home.run('server', 'disable', 'prober');
    const gateway = await home.serve();
    await home.run('server', 'enable', 'prober');
    await waitFor(() => prepared(home).length === 1);
    await home.run('server', 'disable', 'prober');
    await waitFor(() => prepared(home).length === 0);
    expect(await gateway.stop()).toBe(0);
    await home.run('server', 'enable', 'prober');
  });

  it('has none where that is the setting', async () => {
    const gateway = await without.serve();
    expect((await without.run('call', 'prober', 'echo', '{"a":1}')).stdout).toBe('{"a":1}\n');
    expect(starts(gateway.log())).toEqual([false]);
    expect(prepared(without)).toEqual([]);
    expect(await gateway.stop()).toBe(0);
  });

  it('that is killed leaves prepared cells to nobody, and the next one forgets them', async () => {
    const gateway = await home.serve();
    await waitFor(() => prepared(home).length === 1);
    const before = descendants(gateway.process.pid ?? 0).map(({ pid, startTime }) => `${pid} ${startTime}`);
    await gateway.crash();
    await waitFor(() =>
      descendants(1).every(({ pid, startTime }) => !before.includes(`${pid} ${startTime}`)),
    );
    // Any command that opens this home sweeps it.
    await home.run('call', 'prober', 'echo', '{"a":1}');
    expect(prepared(home)).toEqual([]);
  });
});
