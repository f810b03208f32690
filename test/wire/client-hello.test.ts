import { Duplex } from 'node:stream';
import { connect } from 'node:tls';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { limits } from '../../src/kernel/index.ts';
import { parseClientHello } from '../../src/wire/index.ts';

const u8 = (value: number): Buffer => Buffer.from([value]);
const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff]);
const u24 = (value: number): Buffer => Buffer.from([value >> 16, (value >> 8) & 0xff, value & 0xff]);
const vec8 = (...parts: readonly Buffer[]): Buffer => {
  const body = Buffer.concat(parts);
  return Buffer.concat([u8(body.length), body]);
};
const vec16 = (...parts: readonly Buffer[]): Buffer => {
  const body = Buffer.concat(parts);
  return Buffer.concat([u16(body.length), body]);
};

const record = (body: Buffer): Buffer => Buffer.concat([u8(22), u16(0x0301), vec16(body)]);
const message = (body: Buffer): Buffer => Buffer.concat([u8(1), u24(body.length), body]);
const extension = (type: number, body: Buffer): Buffer => Buffer.concat([u16(type), vec16(body)]);
const sni = (name: string): Buffer => extension(0, vec16(u8(0), vec16(Buffer.from(name, 'latin1'))));
const alpn = (...names: readonly string[]): Buffer =>
  extension(16, vec16(...names.map((name) => vec8(Buffer.from(name)))));
const grease = (type: number): Buffer => extension(type, Buffer.alloc(1));

interface Parts {
  readonly version?: Buffer;
  readonly session?: Buffer;
  readonly suites?: Buffer;
  readonly compression?: Buffer;
  readonly extensions?: Buffer | null;
}

function body(parts: Parts = {}): Buffer {
  const { extensions = vec16(sni('api.github.com')) } = parts;
  return Buffer.concat([
    parts.version ?? Buffer.concat([u16(0x0303), Buffer.alloc(32, 7)]),
    parts.session ?? vec8(Buffer.alloc(32)),
    parts.suites ?? vec16(u16(0x0a0a), u16(0x1301), u16(0x1302)),
    parts.compression ?? vec8(u8(0)),
    ...(extensions === null ? [] : [extensions]),
  ]);
}

const hello = (parts: Parts = {}): Buffer => record(message(body(parts)));
const withExtensions = (...list: readonly Buffer[]): Buffer => hello({ extensions: vec16(...list) });
const codeOf = (bytes: Uint8Array): string => {
  const parsed = parseClientHello(bytes);
  return parsed.ok ? 'ok' : parsed.error;
};

/** Every prefix is incomplete, and the whole gives the value. */
function expectByteByByte(bytes: Buffer, value: unknown): void {
  for (let length = 0; length < bytes.length; length += 1) {
    expect(codeOf(bytes.subarray(0, length)), `after ${length} bytes`).toBe('client_hello_incomplete');
  }
  expect(parseClientHello(bytes)).toEqual({ ok: true, value });
}

/** Cuts a message into records of the given size. */
function fragmented(whole: Buffer, size: number): Buffer {
  const records: Buffer[] = [];
  for (let at = 0; at < whole.length; at += size) records.push(record(whole.subarray(at, at + size)));
  return Buffer.concat(records);
}

async function nodeHello(servername: string | undefined, protocols: string[]): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const wire = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk);
      done();
    },
  });
  const socket = connect({
    socket: wire,
    ALPNProtocols: protocols,
    ...(servername === undefined ? {} : { servername }),
  });
  socket.on('error', () => {});
  while (codeOf(Buffer.concat(chunks)) === 'client_hello_incomplete')
    await new Promise((go) => setImmediate(go));
  socket.destroy();
  return Buffer.concat(chunks);
}

describe('a hello that is in order', () => {
  it('from Node, byte by byte', async () => {
    const bytes = await nodeHello('api.github.com', ['h2', 'http/1.1']);
    expectByteByByte(bytes, { sni: 'api.github.com', alpn: ['h2', 'http/1.1'] });
  });

  it('from Node without a name', async () => {
    expectByteByByte(await nodeHello(undefined, []), { sni: null, alpn: [] });
  });

  it('with GREASE everywhere, byte by byte', () => {
    const bytes = withExtensions(
      grease(0x1a1a),
      sni('API.GitHub.com'),
      alpn('\x0a\x0a', 'h2'),
      grease(0xfafa),
    );
    expectByteByByte(bytes, { sni: 'api.github.com', alpn: ['\n\n', 'h2'] });
  });

  it.each([1, 2, 3, 4, 5, 17, 100])('cut into records of %i bytes, byte by byte', (size) => {
    expectByteByByte(fragmented(message(body()), size), { sni: 'api.github.com', alpn: [] });
  });

  it('without extensions', () => {
    expectByteByByte(hello({ extensions: null }), { sni: null, alpn: [] });
    expectByteByByte(hello({ extensions: vec16() }), { sni: null, alpn: [] });
  });

  it('followed by early data in a record of its own', () => {
    const bytes = Buffer.concat([hello(), Buffer.from([23, 3, 3, 0, 1, 0])]);
    expect(parseClientHello(bytes)).toEqual({ ok: true, value: { sni: 'api.github.com', alpn: [] } });
  });
});

describe('a hello that is refused', () => {
  const long = Buffer.alloc(17_000);
  const manyBytes = Buffer.concat([u8(1), u24(16_000), Buffer.alloc(limits.clientHelloRecordsMax - 4)]);
  it.each([
    ['no TLS', Buffer.from('GET / HTTP/1.1\r\n'), 'client_hello_not_tls'],
    ['another record type', Buffer.from([23]), 'client_hello_not_tls'],
    ['an SSLv2 hello', Buffer.from([0x80, 0x2e, 1, 3, 1]), 'client_hello_not_tls'],
    ['another major version', Buffer.from([22, 2, 0]), 'client_hello_not_tls'],
    [
      'another record in between',
      Buffer.concat([record(message(body()).subarray(0, 9)), Buffer.from([21, 3, 3])]),
      'client_hello_not_tls',
    ],
    ['an empty record', Buffer.from([22, 3, 1, 0, 0]), 'client_hello_record_length'],
    ['a record beyond 2^14', Buffer.from([22, 3, 1, 0x40, 1]), 'client_hello_record_length'],
    ['another message', record(Buffer.concat([u8(2), u24(1), u8(0)])), 'client_hello_type'],
    [
      'a message beyond the limit',
      record(Buffer.concat([u8(1), u24(long.length), Buffer.alloc(9)])),
      'client_hello_too_long',
    ],
    ['a message in too many records', fragmented(manyBytes, 1), 'client_hello_records'],
    ['bytes after the message', record(Buffer.concat([message(body()), u8(0)])), 'client_hello_trailing'],
    ['an empty message', record(message(Buffer.alloc(0))), 'client_hello_version'],
    [
      'a wrong version',
      hello({ version: Buffer.concat([u16(0x0203), Buffer.alloc(32)]) }),
      'client_hello_version',
    ],
    [
      'a short random',
      record(message(Buffer.concat([u16(0x0303), Buffer.alloc(31)]))),
      'client_hello_version',
    ],
    ['a long session id', hello({ session: vec8(Buffer.alloc(33)) }), 'client_hello_session_id'],
    [
      'a session id past the end',
      record(message(Buffer.concat([u16(0x0303), Buffer.alloc(32), u8(9)]))),
      'client_hello_session_id',
    ],
    ['no cipher suites', hello({ suites: vec16() }), 'client_hello_cipher_suites'],
    ['half a cipher suite', hello({ suites: vec16(Buffer.alloc(3)) }), 'client_hello_cipher_suites'],
    ['cipher suites past the end', hello({ suites: u16(60_000) }), 'client_hello_cipher_suites'],
    ['no compression method', hello({ compression: vec8() }), 'client_hello_compression'],
    ['only real compression', hello({ compression: vec8(u8(1)) }), 'client_hello_compression'],
    [
      'extensions past the end',
      hello({ extensions: Buffer.concat([u16(9), Buffer.alloc(4)]) }),
      'client_hello_extensions',
    ],
    [
      'bytes after the extensions',
      hello({ extensions: Buffer.concat([vec16(sni('a.com')), u8(0)]) }),
      'client_hello_extensions',
    ],
    [
      'an extension cut off',
      withExtensions(Buffer.concat([u16(5), u16(9), u8(0)])),
      'client_hello_extensions',
    ],
    ['half an extension type', withExtensions(u8(5)), 'client_hello_extensions'],
    [
      '65 extensions',
      withExtensions(...Array.from({ length: 65 }, (_, i) => extension(1000 + i, Buffer.alloc(0)))),
      'client_hello_extensions',
    ],
    ['two names', withExtensions(sni('a.com'), sni('b.com')), 'client_hello_extension_duplicate'],
    [
      'any extension twice',
      withExtensions(grease(0x0a0a), grease(0x0a0a)),
      'client_hello_extension_duplicate',
    ],
    [
      'two names in a list',
      withExtensions(
        extension(0, vec16(u8(0), vec16(Buffer.from('a.com')), u8(0), vec16(Buffer.from('b.com')))),
      ),
      'client_hello_sni',
    ],
    [
      'a name of another type',
      withExtensions(extension(0, vec16(u8(1), vec16(Buffer.from('a.com'))))),
      'client_hello_sni',
    ],
    ['an empty name', withExtensions(sni('')), 'client_hello_sni'],
    ['an empty name list', withExtensions(extension(0, vec16())), 'client_hello_sni'],
    ['an empty name extension', withExtensions(extension(0, Buffer.alloc(0))), 'client_hello_sni'],
    [
      'bytes after the name list',
      withExtensions(extension(0, Buffer.concat([vec16(u8(0), vec16(Buffer.from('a.com'))), u8(0)]))),
      'client_hello_sni',
    ],
    ['an address as name', withExtensions(sni('127.0.0.1')), 'client_hello_sni_name'],
    ['a NUL in the name', withExtensions(sni('a.com\0.b.com')), 'client_hello_sni_name'],
    ['a name beyond ASCII', withExtensions(sni('m\u00fcnchen.de')), 'client_hello_sni_name'],
    ['an underscore', withExtensions(sni('a_b.com')), 'client_hello_sni_name'],
    ['no protocol', withExtensions(alpn()), 'client_hello_alpn'],
    ['an empty protocol', withExtensions(alpn('h2', '')), 'client_hello_alpn'],
    [
      'a protocol past the end',
      withExtensions(extension(16, vec16(u8(9), Buffer.from('h2')))),
      'client_hello_alpn',
    ],
    [
      'bytes after the protocols',
      withExtensions(extension(16, Buffer.concat([vec16(vec8(Buffer.from('h2'))), u8(0)]))),
      'client_hello_alpn',
    ],
  ])('%s', (_, bytes, code) => {
    expect(codeOf(bytes)).toBe(code);
    // However it arrives, no beginning of it is ever accepted.
    for (let length = 0; length < bytes.length; length += 1) {
      expect(['client_hello_incomplete', code]).toContain(codeOf(bytes.subarray(0, length)));
    }
  });

  it('whatever the bytes are, it says something', () => {
    const valid = withExtensions(grease(0x1a1a), sni('api.github.com'), alpn('h2', 'http/1.1'));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { maxLength: 4 }),
        fc.nat(valid.length),
        (edits, cut) => {
          const bytes = Buffer.from(valid);
          for (const [at, byte] of edits) bytes[at] = byte;
          const parsed = parseClientHello(bytes.subarray(0, cut));
          expect(parsed.ok || parsed.error.startsWith('client_hello_')).toBe(true);
        },
      ),
      { seed: 11, numRuns: 3000 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(codeOf(bytes)).toMatch(/^client_hello_/);
      }),
      { seed: 12 },
    );
  });
});
