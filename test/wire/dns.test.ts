import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type DnsAnswer,
  type DnsQuery,
  encodeDnsAnswer,
  encodeDnsFailure,
  frameDnsTcp,
  parseDnsQuery,
  readDnsTcpFrame,
} from '../../src/wire/index.ts';

const name = (text: string): Buffer =>
  Buffer.concat([
    ...text.split('.').map((label) => Buffer.from([label.length, ...Buffer.from(label, 'latin1')])),
    Buffer.alloc(1),
  ]);
const question = (text: string, type = 1, kind = 1): Buffer =>
  Buffer.concat([name(text), Buffer.from([0, type, 0, kind])]);
const header = (flags = 0x0100, counts: readonly number[] = [1, 0, 0, 0]): Buffer =>
  Buffer.from([0x12, 0x34, flags >> 8, flags & 0xff, ...counts.flatMap((count) => [0, count])]);
const EDNS = Buffer.from([0, 0, 41, 0x10, 0, 0, 0, 0x80, 0, 0, 12, 0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8]);
const plain = Buffer.concat([header(), question('api.github.com')]);
const withEdns = Buffer.concat([header(0x0100, [1, 0, 0, 1]), question('api.github.com', 28), EDNS]);

const parsed = (bytes: Uint8Array): DnsQuery => {
  const result = parseDnsQuery(bytes);
  if (!result.ok) throw new Error(result.error);
  return result.value;
};
const answer = (changes: Partial<DnsAnswer> = {}): DnsAnswer => ({
  code: 'noerror',
  addresses: ['198.18.0.7', 'fd00::7'],
  ttlSeconds: 30,
  transport: 'udp',
  ...changes,
});

describe('parseDnsQuery', () => {
  it('reads a question, in lower case', () => {
    expect(parsed(Buffer.concat([header(), question('aPi.GitHub.com')]))).toMatchObject({
      id: 0x1234,
      name: 'api.github.com',
      type: 1,
      class: 1,
      recursionDesired: true,
      ednsPayloadBytes: null,
    });
    expect(parsed(withEdns)).toMatchObject({ name: 'api.github.com', type: 28, ednsPayloadBytes: 4096 });
  });

  it('reads the root, and makes odd bytes visible', () => {
    expect(parsed(Buffer.concat([header(), Buffer.from([0, 0, 2, 0, 1])])).name).toBe('');
    expect(parsed(Buffer.concat([header(), question('a_b.x y.\xff\0')])).name).toBe('a_b.x\\032y.\\255\\000');
    // A dot within a label is no border between labels.
    expect(
      parsed(Buffer.concat([header(), Buffer.from([3]), Buffer.from('a.b'), Buffer.from([0, 0, 1, 0, 1])]))
        .name,
    ).toBe('a\\046b');
  });

  const longName = Array.from({ length: 4 }, () => 'a'.repeat(63)).join('.');
  it.each([
    ['fewer bytes than a header', plain.subarray(0, 11), 'dns_too_short'],
    ['more than any query needs', Buffer.concat([plain, Buffer.alloc(600)]), 'dns_too_long'],
    ['an answer', Buffer.concat([header(0x8100), question('a.com')]), 'dns_not_query'],
    ['an update', Buffer.concat([header(0x2800), question('a.com')]), 'dns_opcode'],
    ['a truncated query', Buffer.concat([header(0x0200), question('a.com')]), 'dns_truncated'],
    ['no question', header(0x0100, [0, 0, 0, 0]), 'dns_question_count'],
    [
      'two questions',
      Buffer.concat([header(0x0100, [2, 0, 0, 0]), question('a.com'), question('b.com')]),
      'dns_question_count',
    ],
    [
      'an answer record',
      Buffer.concat([header(0x0100, [1, 1, 0, 0]), question('a.com')]),
      'dns_record_count',
    ],
    [
      'an authority record',
      Buffer.concat([header(0x0100, [1, 0, 1, 0]), question('a.com')]),
      'dns_record_count',
    ],
    [
      'two additional records',
      Buffer.concat([header(0x0100, [1, 0, 0, 2]), question('a.com'), EDNS, EDNS]),
      'dns_record_count',
    ],
    [
      'a compression pointer',
      Buffer.concat([header(), Buffer.from([0xc0, 12, 0, 1, 0, 1])]),
      'dns_compression',
    ],
    [
      'a pointer after a label',
      Buffer.concat([header(), Buffer.from([1, 97, 0xc0, 12, 0, 1, 0, 1])]),
      'dns_compression',
    ],
    [
      'a reserved label type',
      Buffer.concat([header(), Buffer.from([0x40, 0, 0, 1, 0, 1])]),
      'dns_compression',
    ],
    ['a name beyond 255 bytes', Buffer.concat([header(), question(longName)]), 'dns_name'],
    ['a name cut off', plain.subarray(0, 20), 'dns_name'],
    ['a name without its end', Buffer.concat([header(), name('a.com').subarray(0, -1)]), 'dns_name'],
    [
      'a question without type and class',
      Buffer.concat([header(), name('a.com'), Buffer.from([0, 1, 0])]),
      'dns_name',
    ],
    ['another class', Buffer.concat([header(), question('version.bind', 16, 3)]), 'dns_class'],
    [
      'a signature',
      Buffer.concat([
        header(0x0100, [1, 0, 0, 1]),
        question('a.com'),
        Buffer.from([0, 0, 250, 0, 255, 0, 0, 0, 0, 0, 0]),
      ]),
      'dns_additional',
    ],
    [
      'an option record with a name',
      Buffer.concat([header(0x0100, [1, 0, 0, 1]), question('a.com'), name('x'), EDNS.subarray(1)]),
      'dns_additional',
    ],
    ['an option record cut off', withEdns.subarray(0, -1), 'dns_additional'],
    [
      'an announced record that is not there',
      Buffer.concat([header(0x0100, [1, 0, 0, 1]), question('a.com')]),
      'dns_additional',
    ],
    ['bytes after the question', Buffer.concat([plain, Buffer.alloc(1)]), 'dns_trailing'],
    ['bytes after the option record', Buffer.concat([withEdns, Buffer.alloc(1)]), 'dns_trailing'],
  ])('refuses %s', (_, bytes, code) => {
    expect(parseDnsQuery(bytes)).toEqual({ ok: false, error: code });
  });

  it('refuses every beginning of a query, and says something to any bytes', () => {
    for (let length = 0; length < withEdns.length; length += 1) {
      expect(parseDnsQuery(withEdns.subarray(0, length)).ok).toBe(false);
    }
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(withEdns.length - 1), fc.nat(255)), { maxLength: 4 }), (edits) => {
        const bytes = Buffer.from(withEdns);
        for (const [at, byte] of edits) bytes[at] = byte;
        const result = parseDnsQuery(bytes);
        expect(result.ok || result.error.startsWith('dns_')).toBe(true);
        if (result.ok) expect(encodeDnsAnswer(result.value, answer()).length).toBeGreaterThanOrEqual(12);
      }),
      { seed: 5, numRuns: 2000 },
    );
  });
});

describe('encodeDnsAnswer', () => {
  it('answers A, pinned', () => {
    expect(encodeDnsAnswer(parsed(plain), answer()).toString('hex')).toBe(
      '1234818000010001000000000361706906676974687562' +
        '03636f6d0000010001' +
        'c00c000100010000001e0004c6120007',
    );
  });

  it('answers AAAA with EDNS, pinned', () => {
    expect(encodeDnsAnswer(parsed(withEdns), answer()).toString('hex')).toBe(
      '1234818000010001000000010361706906676974687562' +
        '03636f6d00001c0001' +
        'c00c001c00010000001e0010fd000000000000000000000000000007' +
        '00002904d0000000000000',
    );
  });

  it.each([
    ['a type without addresses', question('a.com', 65), answer(), 0x8180, 0],
    ['a name that does not exist', question('a.com'), answer({ code: 'nxdomain' }), 0x8183, 0],
    ['a refusal', question('a.com'), answer({ code: 'refused' }), 0x8185, 0],
    ['addresses of the other family only', question('a.com'), answer({ addresses: ['fd00::1'] }), 0x8180, 0],
    ['several addresses', question('a.com'), answer({ addresses: ['198.18.0.1', '198.18.0.2'] }), 0x8180, 2],
  ])('%s', (_, asked, given, flags, records) => {
    const bytes = encodeDnsAnswer(parsed(Buffer.concat([header(), asked])), given);
    expect(bytes.readUInt16BE(2)).toBe(flags);
    expect(bytes.readUInt16BE(6)).toBe(records);
  });

  it('echoes the letters as they were asked, and does not claim recursion was wanted', () => {
    const bytes = encodeDnsAnswer(parsed(Buffer.concat([header(0), question('aPi.cOm')])), answer());
    expect(bytes.includes(Buffer.from('aPi'))).toBe(true);
    expect(bytes.readUInt16BE(2)).toBe(0x8080);
  });

  it('truncates over UDP and says so, and not over TCP', () => {
    const addresses = Array.from({ length: 100 }, (_, index) => `198.18.1.${index}`);
    const query = parsed(plain);
    const udp = encodeDnsAnswer(query, answer({ addresses }));
    expect(udp.length).toBeLessThanOrEqual(512);
    expect(udp.readUInt16BE(2) & 0x0200).toBe(0x0200);
    const tcp = encodeDnsAnswer(query, answer({ addresses, transport: 'tcp' }));
    expect(tcp.readUInt16BE(6)).toBe(100);
    expect(tcp.readUInt16BE(2) & 0x0200).toBe(0);
  });
});

describe('encodeDnsFailure', () => {
  it('answers with the identifier and the code only', () => {
    expect(
      encodeDnsFailure(Buffer.concat([header(0x2900), question('a.com')]), 'notimp')?.toString('hex'),
    ).toBe('1234a9040000000000000000');
  });

  it('does not answer answers, or bytes without an identifier', () => {
    expect(encodeDnsFailure(header(0x8000), 'formerr')).toBeNull();
    expect(encodeDnsFailure(Buffer.alloc(11), 'formerr')).toBeNull();
  });
});

describe('TCP framing', () => {
  it('gives a message once it is whole, and what follows it', () => {
    const bytes = Buffer.concat([frameDnsTcp(plain), Buffer.from('rest')]);
    for (let length = 0; length < plain.length + 2; length += 1) {
      expect(readDnsTcpFrame(bytes.subarray(0, length))).toEqual({ ok: false, error: 'dns_incomplete' });
    }
    expect(readDnsTcpFrame(bytes)).toEqual({
      ok: true,
      value: { message: plain, rest: Buffer.from('rest') },
    });
  });

  it('refuses a length that no query has', () => {
    expect(readDnsTcpFrame(Buffer.from([0x02, 0x01]))).toEqual({ ok: false, error: 'dns_too_long' });
  });
});
