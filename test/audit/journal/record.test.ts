/** The form of a record: what was written comes back, and nothing else is taken for one. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { prepareEvent } from '../../../src/audit/canonical.ts';
import { journalKeys } from '../../../src/audit/journal/keys.ts';
import { decodeRecord, hidesRecord, lineOf, RecordEncoder } from '../../../src/audit/journal/record.ts';
import { type JsonObject, Secret } from '../../../src/kernel/index.ts';
import { A, auditKey } from './journal-world.ts';

const JOURNAL = 'jrn_1';
const keys = journalKeys(auditKey());
const prepared = (data: JsonObject, id = 'cel_1', server?: string) =>
  prepareEvent(
    {
      workspace: A,
      type: 'egress.finished',
      actor: { kind: 'cell', id },
      data,
      ...(server === undefined ? {} : { server }),
    },
    1_700_000_000_000,
  );
const first = prepared({ n: 1, text: 'ü\u{1f600}"\\\t\n' }, 'a{b\t,c', 'github');
const second = prepared({ n: 2 });

function encoded(number = 7, journal = JOURNAL, isPlaceWanted = false): Buffer {
  const lines = [lineOf(first), lineOf(second)];
  const encoder = new RecordEncoder(journal, keys);
  return Buffer.from(encoder.encode({ number, workspace: A, lines, isPlaceWanted }));
}

const decoded = (bytes: Buffer, from = 0, journal = JOURNAL) => decodeRecord(bytes, from, journal, keys);

describe('a record', () => {
  it('has this form', () => {
    // Pinned: journals that a crash left behind are read by the next version too.
    const keys = journalKeys(Secret.fromBytes(Buffer.alloc(32, 1)));
    const encoder = new RecordEncoder('jrn', keys);
    const event = prepareEvent(
      { workspace: A, type: 'call.started', actor: { kind: 'token', id: 't' }, data: { b: 1, a: null } },
      5,
    );
    const bytes = encoder.encode({ number: 258, workspace: A, lines: [lineOf(event)], isPlaceWanted: true });
    const end = bytes.length - 32;
    expect(bytes.toString('latin1', 20, end)).toBe(
      'ws_a\n5,"call.started","token","t",null\t{"a":null,"b":1}',
    );
    expect(bytes.toString('hex', 0, 20)).toBe('534a310a00000037000000010000000000000102');
    expect(bytes.toString('hex', end)).toBe(
      '66be65bacb98024665ce5c58a5e48f0242f9bf51e4ced3d5991e042da7988260',
    );
  });

  it('gives back what went in, wherever it lies', () => {
    const bytes = encoded();
    const expected = {
      ok: true,
      value: { number: 7, workspace: A, events: [first, second], isPlaceWanted: false, bytes: bytes.length },
    };
    expect(decoded(bytes)).toEqual(expected);
    expect(decoded(Buffer.concat([Buffer.from('xx'), bytes, Buffer.from('yy')]), 2)).toEqual(expected);
    expect(decoded(encoded(7, JOURNAL, true))).toMatchObject({ value: { isPlaceWanted: true } });
  });

  it('gives back any event', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme' }),
        fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue()),
        (id, data) => {
          const event = prepared(data as JsonObject, id, id);
          const encoder = new RecordEncoder(JOURNAL, keys);
          const bytes = encoder.encode({
            number: 0,
            workspace: A,
            lines: [lineOf(event)],
            isPlaceWanted: false,
          });
          expect(decoded(bytes)).toMatchObject({ ok: true, value: { events: [event] } });
        },
      ),
    );
  });

  it('may be larger than most', () => {
    const lines = Array.from({ length: 500 }, (_, n) => lineOf(prepared({ n, text: 'ü'.repeat(300) })));
    const encoder = new RecordEncoder(JOURNAL, keys);
    const outline = { number: 0, workspace: A, lines, isPlaceWanted: false };
    const large = Buffer.from(encoder.encode(outline));
    expect(decoded(large)).toMatchObject({ ok: true, value: { bytes: large.length } });
    // The buffer that the next one goes into is the usual one again.
    expect(decoded(encoder.encode({ ...outline, lines: [lineOf(first)] }))).toMatchObject({ ok: true });
  });

  it('is incomplete as long as a byte is missing', () => {
    const bytes = encoded();
    for (let length = 0; length < bytes.length; length++) {
      expect(decoded(bytes.subarray(0, length)), `${length}`).toEqual({ ok: false, error: 'incomplete' });
    }
    expect(decoded(Buffer.alloc(100))).toEqual({ ok: false, error: 'incomplete' });
  });

  it('is forged when a bit is another one', () => {
    const bytes = encoded();
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      const result = decoded(changed);
      // A longer length asks for bytes that are not there.
      expect(result.ok, `${at}`).toBe(false);
      if (at < 4 || at > 7) expect(result).toEqual({ ok: false, error: 'forged' });
    }
  });

  it('is forged in another journal, and under another key', () => {
    expect(decoded(encoded(), 0, 'jrn_2')).toEqual({ ok: false, error: 'forged' });
    const others = journalKeys(Secret.fromBytes(Buffer.alloc(32, 6)));
    expect(decodeRecord(encoded(), 0, JOURNAL, others)).toEqual({ ok: false, error: 'forged' });
  });

  it('is forged when it says that it is huge', () => {
    const bytes = encoded();
    bytes.writeUInt32BE(0xffff_ffff, 4);
    expect(decoded(bytes)).toEqual({ ok: false, error: 'forged' });
  });

  it('is found behind bytes that hide it', () => {
    const bytes = encoded();
    expect(hidesRecord(Buffer.concat([Buffer.from('SJ1\nSJ1\n'), bytes]), JOURNAL, keys)).toBe(true);
    expect(hidesRecord(bytes.subarray(0, -1), JOURNAL, keys)).toBe(false);
    // It is what comes behind that counts.
    expect(hidesRecord(bytes, JOURNAL, keys)).toBe(false);
  });
});

describe("a journal's row", () => {
  it('is signed with everything that it says', () => {
    const row = keys.signRow({ id: JOURNAL, records: 3, closed: false });
    expect(keys.isRowGenuine(row)).toBe(true);
    for (const change of [{ id: 'jrn_2' }, { records: 4 }, { closed: true }, { mac: Buffer.alloc(0) }]) {
      expect(keys.isRowGenuine({ ...row, ...change })).toBe(false);
    }
    expect(row.mac).not.toEqual(keys.recordMac(JOURNAL, Buffer.alloc(0)));
  });

  it('cannot be signed by keys that were destroyed', () => {
    const gone = journalKeys(auditKey());
    gone.destroy();
    expect(() => gone.signRow({ id: JOURNAL, records: 0, closed: false })).toThrow('destroyed');
    expect(() => gone.recordMac('jrn', Buffer.alloc(0))).toThrow('destroyed');
  });
});
