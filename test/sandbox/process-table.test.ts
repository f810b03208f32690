import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openProc, pageBytes, parseStat, takenBytes } from '../../src/sandbox/process-table.ts';

describe('a line of /proc/PID/stat', () => {
  const line = (name: string): string =>
    `42 (${name}) S 7 42 42 0 -1 4194560 100 0 0 0 11 22 33 44 20 0 1 0 987654 12345678 321 18446744073709551615 1 1 0\n`;

  it.each(['node', 'a b', 'x) R 1 (y', '))', ''])('is read whatever the program is called: %j', (name) => {
    expect(parseStat(line(name))).toEqual({
      pid: 42,
      parent: 7,
      session: 42,
      startTime: '987654',
      cpuTicks: 110,
      residentPages: 321,
    });
  });

  it.each(['', '42', '42 (node)', '42 (node) S', line('node').slice(0, 60)])(
    'is nothing else: %j',
    (text) => {
      expect(parseStat(text)).toBeNull();
    },
  );

  it('never comes out of any other text as a line with a hole', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const found = parseStat(text);
        if (found !== null) for (const value of Object.values(found)) expect(value).not.toBeNaN();
      }),
    );
  });
});

describe('memory that a process takes', () => {
  it('is what is its own, its share of what is shared, and what was swapped; files can be dropped', () => {
    const rollup =
      '55d0-7ffd ---p 00000000 00:00 0    [rollup]\nRss:   999 kB\nPss:   800 kB\nPss_Dirty:  7 kB\nPss_Anon:   100 kB\nPss_File:   650 kB\nPss_Shmem:   20 kB\nSwap:   9 kB\nSwapPss:   3 kB\n';
    expect(takenBytes(rollup)).toBe(123 * 1024);
    expect(takenBytes('')).toBe(0);
  });
});

describe('this machine', () => {
  it('has pages of a size that is known, and shows this process', () => {
    const proc = openProc();
    expect(pageBytes(readFileSync('/proc/self/auxv'))).toBe(proc.pageBytes);
    expect([4_096, 16_384, 65_536]).toContain(proc.pageBytes);
    expect(proc.pids()).toContain(process.pid);
    const own = parseStat(proc.stat(process.pid) ?? '');
    expect(own).toMatchObject({ pid: process.pid, parent: process.ppid });
    const { rss } = process.memoryUsage();
    expect((own?.residentPages ?? 0) * proc.pageBytes).toBeGreaterThan(rss / 2);
    const taken = takenBytes(proc.memory(process.pid) ?? '');
    expect(taken).toBeGreaterThan(4 * 1024 * 1024);
    expect(taken).toBeLessThan(2 * rss);
    expect([proc.stat(0x7fff_ffff), proc.memory(0x7fff_ffff)]).toEqual([null, '']);
  });
});
