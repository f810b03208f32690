/** The files of a journal on a real disk: what is appended, what a disk that takes a part of it leaves, and what is read. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openJournalFile, segmentsOf, sourceIn } from '../../src/main/journal-file.ts';

const FULL_DISK = fileURLToPath(new URL('full-disk-child.ts', import.meta.url));
const JOURNAL = '000000000000001-0123456789abcdef';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-journal-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('the files of a journal', () => {
  it('are appended to, one after the other, and read from anywhere', async () => {
    const file = openJournalFile(folder, JOURNAL);
    const source = sourceIn(folder, JOURNAL);
    file.append(Buffer.from('one'));
    file.append(Buffer.from('two'));
    expect(file.bytes).toBe(6);
    file.rotate();
    file.append(Buffer.from('three'));
    expect([file.bytes, source.segments()]).toEqual([5, [1, 2]]);
    expect([
      source.read(1, 0, 100),
      source.read(1, 4, 1),
      source.read(1, 9, 1),
      source.read(2, 1, 2),
    ]).toEqual(['onetwo', 'w', '', 'hr'].map((text) => Buffer.from(text)));
    await file.sync();
    source.remove(1);
    source.remove(1);
    expect(segmentsOf(folder, JOURNAL)).toEqual([2]);
    await file.sync();
    file.close();
  });

  it('are not those of another journal', () => {
    openJournalFile(folder, JOURNAL).close();
    expect(() => openJournalFile(folder, JOURNAL)).toThrow('EEXIST');
    expect(segmentsOf(folder, `${JOURNAL}0`)).toEqual([]);
    expect(segmentsOf(folder, JOURNAL.slice(0, -1))).toEqual([]);
  });

  it('hold whole records only, on a disk that took a part of one', () => {
    // A limit on the size of files stops a write in its middle, as a full disk does.
    const script = `trap '' XFSZ; ulimit -S -f 40; exec "$0" "$@"`;
    const told = execFileSync('bash', ['-c', script, process.execPath, FULL_DISK, folder, JOURNAL], {
      encoding: 'utf8',
    });
    const [name = ''] = readdirSync(folder);
    const content = readFileSync(join(folder, name), 'latin1');
    const { written, failures, partial } = JSON.parse(told) as {
      written: string[];
      failures: number;
      partial: number;
    };
    expect(failures).toBeGreaterThan(1);
    expect(partial).toBeGreaterThan(0);
    expect(content).toBe(written.join(''));
  });
});
