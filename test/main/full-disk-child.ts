/**
 * Appends records to a journal's file until that may not grow any more, then smaller ones that fit, and prints what it
 * was told: the records that went in, how many did not, and how much of the first of those was left in the file.
 * Arguments: folder, journal.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { openJournalFile, segmentName } from '../../src/main/journal-file.ts';

const [folder = '', journal = ''] = process.argv.slice(2);
const file = openJournalFile(folder, journal);
const written: string[] = [];
let failures = 0;
let partial = 0;
for (const [length, attempts] of [
  [3_000, 20],
  [7, 3],
] as const) {
  for (let n = 0; n < attempts; n++) {
    const record = `<${String(n).padEnd(length, '.')}>`;
    try {
      file.append(Buffer.from(record));
      written.push(record);
    } catch {
      failures += 1;
      if (failures === 1) partial = statSync(join(folder, segmentName(journal, 1))).size - file.bytes;
    }
  }
}
file.close();
process.stdout.write(JSON.stringify({ written, failures, partial }));
