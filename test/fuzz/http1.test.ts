import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { limits } from '../../src/kernel/index.ts';
import { compareConnections } from './http1.ts';
import { readLlhttp } from './http1-llhttp.ts';
import type { Kind } from './http1-messages.ts';
import { readOurs } from './http1-ours.ts';

const SEED = 20_251_121;

interface Row {
  readonly kind: Kind;
  readonly reason: string;
  readonly example: string;
}

const START: Readonly<Record<Kind, string>> = {
  request: 'POST / HTTP/1.1\r\nHost: a\r\n',
  response: 'HTTP/1.1 200 OK\r\n',
};
const CHUNKED = 'Transfer-Encoding: chunked\r\n\r\n';

/** Too long for a document. */
const beyondLimit: Readonly<Record<string, (start: string) => string>> = {
  headFieldsMax: (start) =>
    `${start}${'A: b\r\n'.repeat(limits.headFieldsMax)}B: c\r\nContent-Length: 0\r\n\r\n`,
  chunkLineBytesMax: (start) =>
    `${start}${CHUNKED}3;${'a'.repeat(limits.chunkLineBytesMax)}\r\nabc\r\n0\r\n\r\n`,
  trailerBytesMax: (start) => `${start}${CHUNKED}0\r\nA: ${'b'.repeat(limits.trailerBytesMax)}\r\n\r\n`,
  requestHeadBytesMax: (start) => `${start}A: ${'b'.repeat(limits.requestHeadBytesMax)}\r\n\r\n`,
  responseHeadBytesMax: (start) =>
    `${start}A: ${'b'.repeat(limits.responseHeadBytesMax)}\r\nContent-Length: 0\r\n\r\n`,
};

/** The tables of the document. */
function listedDifferences(): readonly Row[] {
  const text = readFileSync(join(import.meta.dirname, '../../docs/http1-differences.md'), 'utf8');
  const rows: Row[] = [];
  let kind: Kind | null = null;
  for (const line of text.split('\n')) {
    if (line.startsWith('## ')) kind = headings[line] ?? null;
    const [, reason, cell] = /^\| `(\w+)` \| (.+?) \| [^|]+\|$/.exec(line) ?? [];
    if (reason === undefined || cell === undefined || kind === null) continue;
    const limit = /^a limit: `(\w+)`$/.exec(cell)?.[1];
    const example =
      limit === undefined ? String(JSON.parse(cell.slice(1, -1))) : beyondLimit[limit]?.(START[kind]);
    if (example === undefined) throw new Error(`no example goes beyond ${limit}`);
    rows.push({ kind, reason, example });
  }
  return rows;
}

const headings: Readonly<Record<string, Kind>> = { '## Requests': 'request', '## Responses': 'response' };

describe('HTTP/1.1 against llhttp', () => {
  const listed = listedDifferences();

  it('finds the tables', () => {
    expect(listed.filter(({ kind }) => kind === 'request').length).toBeGreaterThan(15);
    expect(listed.filter(({ kind }) => kind === 'response').length).toBeGreaterThan(12);
  });

  it.each(listed)('$kind $reason: llhttp reads what ours refuses', ({ kind, reason, example }) => {
    const bytes = Buffer.from(example, 'latin1');
    expect(readOurs(kind, [bytes])).toMatchObject({ messages: [], error: reason });
    const theirs = readLlhttp(kind, bytes);
    expect(theirs.error === null || theirs.error === 'incomplete').toBe(true);
  });

  it('is never the more lenient, and is stricter only as listed', () => {
    const { messages, refused, pending, stricter } = compareConnections(SEED, 30_000);
    expect(messages).toBeGreaterThan(20_000);
    expect(refused).toBeGreaterThan(5_000);
    expect(pending).toBeGreaterThan(500);
    const known = new Set(listed.map(({ kind, reason }) => `${kind} ${reason}`));
    expect([...stricter.keys()].filter((difference) => !known.has(difference))).toEqual([]);
    expect(stricter.size).toBeGreaterThan(20);
  });
});
