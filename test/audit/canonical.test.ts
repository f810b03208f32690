import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalForm, hashOf, type RecordedEvent, toJsonLine } from '../../src/audit/index.ts';
import { chainEvent, prepareEvent } from '../../src/audit/canonical.ts';
import type { Json, JsonObject, WorkspaceId } from '../../src/kernel/index.ts';

const EVENT: RecordedEvent = {
  workspace: 'ws_default' as WorkspaceId,
  sequence: 2,
  at: 1_764_000_000_123,
  type: 'credential.used',
  actor: { kind: 'token', id: 'tok_0123456789abcdef' },
  server: 'github',
  data: {
    path: '/search?"q"=\u00e9\u2028\n',
    b: [1, -0.5, 1e21, 1e-7, true, null, {}],
    a: { z: 1, Z: 2, '10': 3, '9': 4, '😀': 5, '\ufb33': 6 },
  },
  previous: '0123456789abcdef'.repeat(4),
  hash: '',
};

const FORM =
  '["sallyport/audit/1","ws_default",2,1764000000123,"credential.used","token","tok_0123456789abcdef","github",' +
  '{"a":{"10":3,"9":4,"Z":2,"z":1,"😀":5,"\ufb33":6},"b":[1,-0.5,1e+21,1e-7,true,null,{}],"path":"/search?\\"q\\"=é\u2028\\n"},' +
  '"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"]';

describe('the canonical form', () => {
  it('is pinned', () => {
    expect(canonicalForm(EVENT)).toBe(FORM);
    expect(hashOf(EVENT)).toBe('c8ac32d0eeb357502c071bd3609901fd1ae097486b5484498b131e3a3929d92c');
    expect(hashOf(EVENT)).toBe(createHash('sha256').update(FORM, 'utf8').digest('hex'));
  });

  it('is pinned for an event without a server', () => {
    const { server: _server, ...rest } = EVENT;
    expect(canonicalForm({ ...rest, data: {} })).toBe(
      '["sallyport/audit/1","ws_default",2,1764000000123,"credential.used","token","tok_0123456789abcdef",null,{},' +
        '"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"]',
    );
    expect(canonicalForm({ ...rest, server: 'null', data: {} })).toContain('"null",{}');
  });

  it('is the same after the event went through JSON, whatever order its keys come back in', () => {
    const shuffled = (value: Json): Json => {
      if (value === null || typeof value !== 'object') return value;
      if (Array.isArray(value)) return value.map(shuffled);
      return Object.fromEntries(
        Object.entries(value)
          .toReversed()
          .map(([k, v]) => [k, shuffled(v)]),
      );
    };
    // Not the key that is a single backslash: V8 13.6 may then read another key of one escaped character as that one,
    // `JSON.parse('{"\\\\":1}')` and after it `JSON.parse('{"\\u0000":1}')`. The product writes no such keys.
    const key = fc.string({ unit: 'binary', minLength: 2 });
    const character = fc.constantFrom('a', 'b', '"', 'é', '\u2028', '🙂', '{', '\u0007', ' ');
    fc.assert(
      fc.property(fc.dictionary(key, fc.jsonValue({ maxDepth: 4, stringUnit: character })), (data) => {
        const event = { ...EVENT, data: data as JsonObject };
        const back = JSON.parse(JSON.stringify({ ...event, data: shuffled(event.data) })) as RecordedEvent;
        expect(canonicalForm(back)).toBe(canonicalForm(event));
        // It is JSON itself, and says what the event says.
        expect((JSON.parse(canonicalForm(event)) as Json[])[8]).toEqual(JSON.parse(JSON.stringify(data)));
      }),
    );
  });

  it('differs when any field differs, wherever the boundary between two lies', () => {
    const text = fc.string({ maxLength: 3, unit: fc.constantFrom('a', '"', ',', '\\') });
    const event = fc.record({
      type: text,
      kind: text,
      id: text,
      server: fc.option(text, { nil: undefined }),
    });
    const form = ({
      type,
      kind,
      id,
      server,
    }: {
      type: string;
      kind: string;
      id: string;
      server: string | undefined;
    }) => canonicalForm({ ...EVENT, type, actor: { kind, id }, server } as unknown as RecordedEvent);
    fc.assert(
      fc.property(event, event, (a, b) => {
        expect(form(a) === form(b)).toBe(JSON.stringify(a) === JSON.stringify(b));
      }),
      { numRuns: 1000 },
    );
  });

  it('is what an appended event is hashed by', () => {
    const { sequence, previous, hash: _hash, at, ...author } = EVENT;
    const row = chainEvent(EVENT.workspace, prepareEvent(author, at), sequence, previous);
    const { actor, data, ...rest } = row;
    const recorded = {
      workspace: EVENT.workspace,
      ...rest,
      actor: JSON.parse(actor),
      data: JSON.parse(data),
    };
    expect(recorded).toEqual({ ...EVENT, hash: hashOf(EVENT) });
  });

  it('is what any event is hashed by, whatever its texts are', () => {
    const text = fc.string({ unit: 'binary', maxLength: 20 });
    fc.assert(
      fc.property(
        text,
        text,
        fc.option(text),
        fc.dictionary(text, fc.jsonValue()),
        (type, id, server, data) => {
          const event = {
            ...EVENT,
            type,
            actor: { kind: 'cell', id },
            server: server ?? undefined,
            data,
          } as unknown as RecordedEvent;
          const row = chainEvent(
            EVENT.workspace,
            prepareEvent(event, event.at),
            event.sequence,
            event.previous,
          );
          expect(row.hash).toBe(hashOf(event));
          expect(JSON.parse(row.actor)).toEqual(event.actor);
        },
      ),
    );
  });
});

describe('preparing an event', () => {
  const prepare = (data: unknown, change: object = {}) =>
    prepareEvent({ ...EVENT, ...change, data: data as JsonObject }, 1);
  const nested = (depth: number): Json => (depth === 0 ? 1 : { deeper: nested(depth - 1) });

  it('takes a copy: what the author changes afterwards is not recorded', () => {
    const data = { list: ['before'] };
    const prepared = prepare(data);
    data.list[0] = 'after';
    expect(JSON.parse(prepared.data)).toEqual({ list: ['before'] });
  });

  it.each<[string, () => unknown]>([
    ['NaN', () => prepare({ n: Number.NaN })],
    ['Infinity', () => prepare({ n: [Number.POSITIVE_INFINITY] })],
    ['undefined', () => prepare({ n: undefined })],
    ['a function', () => prepare({ n: () => 1 })],
    ['a bigint', () => prepare({ n: 1n })],
    ['17 levels', () => prepare(nested(17))],
    ['64 KiB', () => prepare({ text: 'x'.repeat(64 * 1024) })],
    ['an actor with a lone surrogate', () => prepare({}, { actor: { kind: 'token', id: '\ud800' } })],
    ['a fraction of a millisecond', () => prepareEvent(EVENT, 1.5)],
  ])('refuses %s', (_what, act) => {
    expect(act).toThrow(expect.objectContaining({ name: 'AppError', code: 'audit_event_invalid' }));
  });

  it('writes the same whatever order the keys have, and however deep', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 5 })), (data) => {
        const sorted = (value: unknown): unknown => {
          if (Array.isArray(value)) return value.map(sorted);
          if (typeof value !== 'object' || value === null) return value;
          const entries = Object.entries(value).map(([key, item]) => [key, sorted(item)] as const);
          return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
        };
        const reversed = Object.fromEntries(Object.entries(data).toReversed());
        expect(prepare(sorted(data)).data).toBe(prepare(reversed).data);
      }),
    );
  });

  it('takes no notice of how a class would write itself', () => {
    class Loud {
      readonly kept = 1;
      toJSON(): string {
        return 'shown';
      }
    }
    expect(prepare({ inside: new Loud() }).data).toBe('{"inside":{"kept":1}}');
  });

  it('takes 16 levels, lone surrogates in data, and a key called __proto__', () => {
    expect(JSON.parse(prepare(nested(16)).data)).toEqual(nested(16));
    expect(prepare({ text: '\ud800' }).data).toContain('"\\ud800"');
    const hostile = prepare(JSON.parse('{"__proto__":{"polluted":1}}'));
    expect(hostile.data).toBe('{"__proto__":{"polluted":1}}');
  });
});

describe('a JSON line', () => {
  it('is one line in a fixed order, and reads back as the same event', () => {
    const line = toJsonLine({ ...EVENT, hash: 'ff' });
    expect(line).toMatch(
      /^\{"sequence":2,"at":1764000000123,"workspace":"ws_default","type":"credential.used",/,
    );
    expect(line).not.toContain('\n');
    expect(JSON.parse(line)).toEqual({ ...EVENT, hash: 'ff' });
  });

  it('carries nothing that a terminal or a viewer would act on', () => {
    const hostile = '\u001b[2J\u007f\u009b31m\u202e\u2066\u2028\ufeff\r';
    const line = toJsonLine({ ...EVENT, data: { hostile } });
    expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ufeff]/);
    expect((JSON.parse(line) as RecordedEvent).data).toEqual({ hostile });
  });
});
