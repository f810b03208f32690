import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createScrubber,
  createScrubSet,
  type ScrubHit,
  type ScrubSet,
} from '../../../src/egress/scrub/index.ts';
import { Secret } from '../../../src/kernel/index.ts';
import { renditions } from './renditions.ts';

const GITHUB = 'ghp_4fYq8ZrT1uWx0cVbN7mKj2LpQs9DaEhGiR5o';
const MASK = 'ghp_MASKMASKMASKMASKMASKMASKMASKMASKMASK';
/** Latin-1 only, so that it has a spelling of one byte per character. */
const GERMAN = 'Grüße&Küsse/"ÄÖ"÷7';
/** Every character that some encoding treats specially, and some that none does. */
const AWKWARD = 'p@ss/w+rd="<&>\'%41\\x [~é漢😀] ?;k_-9';

const setOf = (...values: readonly string[]): ScrubSet =>
  createScrubSet(
    values.map((value, index) => ({ name: `K${index}`, mask: MASK, value: Secret.fromString(value) })),
  );

function run(set: ScrubSet, chunks: readonly Buffer[]): { out: Buffer; hits: ScrubHit[] } {
  const hits: ScrubHit[] = [];
  const scrubber = createScrubber(set, (hit) => hits.push(hit));
  const out = Buffer.concat([...chunks.map((chunk) => scrubber.push(chunk)), scrubber.end()]);
  return { out, hits };
}

const cut = (bytes: Buffer, ...at: readonly number[]): readonly Buffer[] => {
  const edges = [0, ...at, bytes.length];
  return edges.slice(1).map((edge, index) => bytes.subarray(edges[index], edge));
};

describe.each([
  ['a GitHub token', GITHUB],
  ['an awkward password', AWKWARD],
  ['a German password', GERMAN],
])('%s', (_, secret) => {
  const set = setOf(secret);

  it.each(renditions(secret))('is masked as $label, wherever the stream is cut', ({ encoding, bytes }) => {
    const before = Buffer.from('{"id":1,"body":"before ');
    const after = Buffer.from('!~ after","n":[1,2,3]}');
    const text = Buffer.concat([before, bytes, after]);
    const whole = run(set, [text]);
    expect(whole.hits).toEqual([{ name: 'K0', encoding }]);
    expect(whole.out.includes(bytes)).toBe(false);
    expect(whole.out.subarray(0, before.length)).toEqual(before);
    expect(whole.out.subarray(-after.length)).toEqual(after);
    for (let at = 0; at <= text.length; at += 1) {
      expect(run(set, cut(text, at)), `cut at ${at}`).toEqual(whole);
    }
    expect(
      run(
        set,
        Array.from(text).map((byte) => Buffer.from([byte])),
      ),
    ).toEqual(whole);
  });

  it.each(renditions(secret))('is masked as $label at any distance from the start', ({ encoding, bytes }) => {
    for (let distance = 0; distance < 140; distance += 1) {
      const before = Buffer.alloc(distance, 1);
      const { out, hits } = run(set, [Buffer.concat([before, bytes, Buffer.alloc(140, 2)])]);
      expect(hits, `at ${distance}`).toEqual([{ name: 'K0', encoding }]);
      expect(out.subarray(0, distance)).toEqual(before);
    }
  });

  it.each(renditions(secret))('is masked as $label when nothing stands around it', ({ encoding, bytes }) => {
    const { out, hits } = run(set, [bytes]);
    expect(hits).toEqual([{ name: 'K0', encoding }]);
    expect(out.includes(bytes)).toBe(false);
  });

  it.each(renditions(secret))('passes $label when its last character is another', ({ bytes }) => {
    const other = Buffer.from(bytes);
    const last = other.length - (bytes.at(-1) === 0x3b ? 2 : 1);
    other[last] = (other[last] ?? 0) ^ 0x15;
    expect(run(set, [other])).toEqual({ out: other, hits: [] });
  });
});

describe('where long pieces meet', () => {
  /** Of bytes that are held back, so that every piece but the last leaves something. */
  const long = Buffer.alloc(2_000, 'x');
  const around = (bytes: Buffer): Buffer =>
    Buffer.concat([long, Buffer.from('"'), bytes, Buffer.from('!'), long]);

  const set = setOf(AWKWARD);
  it.each(renditions(AWKWARD))('a secret as $label is masked, wherever it is cut', ({ encoding, bytes }) => {
    expect(set.table?.tail.reach).toBeLessThan(long.length);
    const text = around(bytes);
    const whole = run(set, [text]);
    expect(whole.hits).toEqual([{ name: 'K0', encoding }]);
    for (let at = 0; at <= bytes.length + 2; at += 1)
      expect(run(set, cut(text, long.length + at)), `cut at ${at}`).toEqual(whole);
  });

  it('what overlaps a match is swallowed, also what only the second piece tells', () => {
    const set = setOf('abcdefgh12345', '12345stuvwxyz', 'stuvwxyz-and-more');
    const text = around(Buffer.from('abcdefgh12345stuvwxyz-and-more'));
    for (let at = 0; at <= 32; at += 1)
      expect(run(set, cut(text, long.length + at)).out, `cut at ${at}`).toEqual(around(Buffer.from(MASK)));
  });

  it('pieces of any length come through, with each secret masked, as if they were one', () => {
    const words = [
      'x',
      'xxxx ',
      '\n\n',
      GITHUB,
      GITHUB.slice(0, 20),
      Buffer.from(GITHUB).toString('hex'),
      '\\u0067',
    ];
    const set = setOf(GITHUB);
    const { reach } = set.table?.tail ?? { reach: 0 };
    const around = fc.integer({ min: -2, max: 2 }).map((more) => reach + more);
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...words), { minLength: 200, maxLength: 600 }),
        fc.array(fc.oneof(around, fc.nat(3_000), fc.nat(40)), { maxLength: 20 }),
        (chosen, lengths) => {
          const text = Buffer.from(chosen.join(''));
          const edges: number[] = [];
          for (let at = 0; at < text.length; at += lengths[edges.length] ?? text.length) edges.push(at);
          expect(run(set, cut(text, ...edges.slice(1)))).toEqual(run(set, [text]));
        },
      ),
    );
  });

  it('holds back as much for a guess at a secret as for anything like it', () => {
    const set = setOf(GITHUB);
    for (const { bytes: value } of renditions(GITHUB)) {
      for (let length = 1; length < value.length - 8; length += 1) {
        const right = value.subarray(0, length);
        const wrong = Buffer.from(right);
        wrong[length - 1] = (right[length - 1] ?? 0) === 0x41 ? 0x42 : 0x41;
        const passed = [right, wrong].map((guess) => {
          const scrubber = createScrubber(set, () => {});
          const text = Buffer.concat([Buffer.from('"'), guess, long, Buffer.from('"'), guess]);
          return cut(text, 1 + length).map((piece) => scrubber.push(piece).length);
        });
        expect(passed[0]).toEqual(passed[1]);
      }
    }
  });

  it('copies no more than what a secret could reach into', () => {
    const scrubber = createScrubber(setOf(GITHUB), () => expect.unreachable());
    const passed: Buffer[] = [];
    const pieces = [Buffer.from('"held'), Buffer.from(`${'y'.repeat(20_000)}"again`)];
    for (const piece of pieces) scrubber.pass(piece, (bytes) => passed.push(bytes));
    expect(passed.map((bytes) => bytes.length)).toEqual([1, 4, 20_001]);
    expect(passed[2]?.buffer).toBe(pieces[1]?.buffer);
    expect(passed[2]?.byteOffset).toBe(pieces[1]?.byteOffset);
    expect(scrubber.end().toString()).toBe('again');
  });
});

describe('what passes', () => {
  const set = setOf(GITHUB, AWKWARD, 'sk-live-0123456789abcdef');

  it('gives back the very buffer when nothing in it could be a secret', () => {
    const chunk = Buffer.from('{"plain":[1,2,3],"text":"nothing to see here"}\n');
    const scrubber = createScrubber(set, () => expect.unreachable());
    expect(scrubber.push(chunk)).toBe(chunk);
    expect(scrubber.end()).toHaveLength(0);
  });

  it('passes bytes without a secret unchanged, however they are cut', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 6 }), (arrays) => {
        const chunks = arrays.map((array) => Buffer.from(array));
        expect(run(set, chunks)).toEqual({ out: Buffer.concat(chunks), hits: [] });
      }),
    );
  });

  it('passes near misses made of pieces of the encodings', () => {
    const pieces = renditions(GITHUB).flatMap(({ bytes }) => [bytes.subarray(0, -1), bytes.subarray(2)]);
    // Between two pieces stands a byte that no encoding has, so that they cannot complete each other.
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 8 }), fc.nat(400), (chosen, at) => {
        const text = Buffer.concat(chosen.flatMap((piece) => [Buffer.from('\x01'), piece.subarray(3)]));
        const { out, hits } = run(setOf(GITHUB), cut(text, Math.min(at, text.length)));
        expect(hits).toEqual([]);
        expect(out.equals(text)).toBe(true);
      }),
    );
  });

  it('holds back what could become a secret, and never the end of an event', () => {
    const scrubber = createScrubber(setOf(GITHUB), () => {});
    const push = (text: string): string => scrubber.push(Buffer.from(text)).toString();
    for (const event of [
      'data: hello\n\n',
      'data: hello\r\n\r\n',
      'data: hello\r\r',
      'data: hello\n\r\n',
      '{"a":"b"}\n',
      '<p>hello</p>\n',
      'hello, world! ',
    ]) {
      expect(push(event)).toBe(event);
    }
    expect(push('data: ghp_4fYq')).toBe('data: ');
    expect(push('!\n\n')).toBe('ghp_4fYq!\n\n');
    expect(push('ghp_4f')).toBe('');
    expect(scrubber.end().toString()).toBe('ghp_4f');
  });

  it('holds back a guess at a secret as it does anything like it', () => {
    const set = setOf(GITHUB);
    for (const { bytes: value } of renditions(GITHUB)) {
      for (let length = 1; length < value.length; length += 1) {
        const right = value.subarray(0, length);
        const wrong = Buffer.from(right);
        wrong[length - 1] = (right[length - 1] ?? 0) === 0x41 ? 0x42 : 0x41;
        const passed = [right, wrong].map((guess) => {
          const scrubber = createScrubber(set, () => {});
          return scrubber.push(Buffer.concat([Buffer.from('"'), guess])).length;
        });
        expect(passed[0]).toBe(passed[1]);
      }
    }
  });

  it('holds back no event for a secret of several lines, and sees that secret however it is cut', () => {
    const pem = '-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0\nBAQEFAASCBKcwggSjAgEAAoI\n-----END KEY-----';
    const event = 'data: {"a": "b"}\n\n';
    expect(
      createScrubber(setOf(pem), () => {})
        .push(Buffer.from(event))
        .toString(),
    ).toBe(event);
    for (const secret of [
      pem,
      ...['\n\n', '\r\n\r\n', '\r\r', '\n\r', '\r\n\r', '\n\r\n', '\r\n', '\r'].map(
        (gap) => `first part${gap}second part`,
      ),
    ]) {
      const text = Buffer.from(`x\n\n${secret}\n\ny`);
      for (let at = 0; at <= text.length; at += 1) {
        expect(run(setOf(secret), cut(text, at)).out.toString()).not.toContain(secret.slice(-8));
      }
    }
  });

  it.each(renditions(GITHUB))(
    'holds nothing of an event, even one that holds the key as $label, once it is here',
    ({ bytes }) => {
      const scrubber = createScrubber(setOf(GITHUB, AWKWARD, GERMAN), () => {});
      for (const end of ['\n\n', '\r\n\r\n', '\r\r']) {
        const passed = scrubber.push(Buffer.concat([Buffer.from('data: '), bytes, Buffer.from(end)]));
        expect(passed.toString('latin1').endsWith(end)).toBe(true);
        expect(passed.includes(bytes)).toBe(false);
      }
      expect(scrubber.end()).toHaveLength(0);
    },
  );

  it('holds back no more than a secret is long, however long a word is', () => {
    const scrubber = createScrubber(setOf(GITHUB), () => {});
    const word = Buffer.alloc(100_000, 'x');
    const passed = scrubber.push(word).length;
    expect(passed).toBeGreaterThan(99_000);
    expect(scrubber.end().length).toBe(word.length - passed);
  });

  it('has nothing to do without secrets', () => {
    const chunk = Buffer.from(GITHUB);
    const scrubber = createScrubber(createScrubSet([]), () => expect.unreachable());
    expect(scrubber.push(chunk)).toBe(chunk);
    expect(scrubber.end()).toHaveLength(0);
  });
});

describe('several secrets and several hits', () => {
  it('masks each, and says which', () => {
    const set = createScrubSet([
      { name: 'A', mask: '<a>', value: Secret.fromString('alpha-secret-1') },
      { name: 'B', mask: '<b>', value: Secret.fromString('beta-secret-22') },
    ]);
    const { out, hits } = run(set, [Buffer.from('1 alpha-secret-1 2 beta-secret-22beta-secret-22 3')]);
    expect(out.toString()).toBe('1 <a> 2 <b><b> 3');
    expect(hits.map((hit) => hit.name)).toEqual(['A', 'B', 'B']);
  });

  it('masks the longer of two that begin alike, and waits until it knows', () => {
    const set = createScrubSet([
      { name: 'short', mask: '<s>', value: Secret.fromString('key-12345678') },
      { name: 'long', mask: '<l>', value: Secret.fromString('key-12345678-extended') },
    ]);
    const text = Buffer.from('a key-12345678-extended b key-12345678-else c key-12345678');
    for (let at = 0; at <= text.length; at += 1) {
      expect(run(set, cut(text, at)).out.toString()).toBe('a <l> b <s>-else c <s>');
    }
  });

  it('swallows what overlaps a match', () => {
    const set = createScrubSet([
      { name: 'A', mask: '<a>', value: Secret.fromString('abcdefgh12345') },
      { name: 'B', mask: '<b>', value: Secret.fromString('12345stuvwxyz') },
    ]);
    const text = Buffer.from('-abcdefgh12345stuvwxyz-');
    for (let at = 0; at <= text.length; at += 1) {
      expect(run(set, cut(text, at)).out.toString(), `cut at ${at}`).toBe('-<a>-');
    }
  });

  it('keeps no more than one secret of a stream that repeats it without end', () => {
    const scrubber = createScrubber(setOf('aaaaaaaaaaaa'), () => {});
    let passed = 0;
    for (let round = 0; round < 200; round += 1) passed += scrubber.push(Buffer.alloc(1000, 'a')).length;
    expect(passed).toBe(MASK.length);
    expect(Buffer.concat([scrubber.push(Buffer.from('b')), scrubber.end()]).toString()).toBe('b');
  });

  it('does not slow down on a secret made of escape characters', () => {
    const secret = '\\'.repeat(40);
    const { out, hits } = run(setOf(secret), [Buffer.from(`${'\\'.repeat(79)}x`), Buffer.from('y')]);
    expect(hits).toHaveLength(1);
    expect(out.includes(secret)).toBe(false);
  });
});

describe('any secret in any mixture of spellings', () => {
  const spell = (character: string, way: number): string => {
    const code = character.charCodeAt(0);
    const digits = code.toString(16).padStart(2, '0');
    const ways = [
      character,
      `%${digits}`,
      `%${digits.toUpperCase()}`,
      `\\u00${digits}`,
      `\\x${digits}`,
      `&#${code};`,
      `&#x${digits};`,
    ];
    return ways[way % ways.length] ?? character;
  };

  it('is masked, and what stands around it passes', () => {
    const secret = fc
      .string({ minLength: 8, maxLength: 40, unit: 'grapheme-ascii' })
      .filter((text) => text.trim().length === text.length);
    fc.assert(
      fc.property(
        secret,
        fc.array(fc.nat(20), { minLength: 40, maxLength: 40 }),
        fc.nat(300),
        fc.nat(300),
        (value, ways, a, b) => {
          const written = Array.from(value)
            .map((character, index) => spell(character, ways[index] ?? 0))
            .join('');
          const text = Buffer.from(`\x01\x02${written}\x03\x04`);
          const [first, second] = [Math.min(a, text.length), Math.min(b, text.length)].sort((x, y) => x - y);
          const { out, hits } = run(setOf(value), cut(text, first ?? 0, second ?? 0));
          expect(hits).toHaveLength(1);
          expect(out.toString().startsWith('\x01\x02')).toBe(true);
          expect(out.toString().endsWith('\x03\x04')).toBe(true);
          expect(out.length).toBeLessThan(6 + MASK.length * 4);
        },
      ),
      { seed: 7, numRuns: 300 },
    );
  });

  it('is masked when it is bytes and no text', () => {
    const bytes = Buffer.from([0xff, 0xfe, 0x01, 0x80, 0xc0, 0x22, 0x5c, 0x41, 0x00, 0x99]);
    const set = createScrubSet([{ name: 'B', mask: 'mask', value: Secret.fromBytes(Buffer.from(bytes)) }]);
    for (const text of [
      bytes.toString('latin1'),
      bytes.toString('hex'),
      bytes.toString('base64').slice(0, -3),
    ]) {
      expect(run(set, [Buffer.from(`-${text}-`, 'latin1')]).hits).toHaveLength(1);
    }
    const percent = [...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
    expect(run(set, [Buffer.from(percent)]).out.toString()).toBe('mask');
  });
});

describe('runs of bytes that readers may join', () => {
  const SECRETS = [GITHUB, GERMAN, AWKWARD];

  /** Each run by itself, and then one behind the other. */
  function runs(set: ScrubSet, texts: readonly Buffer[]) {
    const hits: ScrubHit[] = [];
    let rest: Buffer = Buffer.alloc(0);
    const out = texts.map((text) => {
      const scrubber = createScrubber(set, (hit) => hits.push(hit), rest);
      const passed = Buffer.concat([
        ...cut(text, Math.floor(text.length / 2)).map((piece) => scrubber.push(piece)),
        scrubber.end(),
      ]);
      rest = scrubber.rest;
      return passed;
    });
    return { out, hits };
  }

  it.each(SECRETS)('let the first part of %s pass, and mask the rest, wherever it is cut', (secret) => {
    const set = setOf(secret);
    for (const { bytes, encoding } of renditions(secret)) {
      /* Not within its last characters, which a mask may happen to begin with. */
      for (let at = 1; at < bytes.length - 4; at += 1) {
        const first = Buffer.concat([Buffer.from('{"a":"!'), bytes.subarray(0, at)]);
        const second = Buffer.concat([bytes.subarray(at), Buffer.from('!"}')]);
        const { out, hits } = runs(set, [first, second]);
        /* Of some encodings the last characters say nothing that is certain: those can be missing. */
        const isComplete = out[0]?.equals(first) === false;
        if (isComplete) expect(run(set, [first]).hits).toHaveLength(1);
        expect(hits).toEqual([{ name: 'K0', encoding }]);
        expect(Buffer.concat(out).includes(bytes)).toBe(false);
        expect(out[1]?.subarray(-3).toString()).toBe('!"}');
      }
    }
  });

  it('mask it once, and what comes next is no part of it', () => {
    const set = setOf(GITHUB);
    const [head, tail] = [GITHUB.slice(0, 9), GITHUB.slice(9)];
    const texts = [head, tail.slice(0, 1), tail.slice(1), tail, GITHUB, tail].map((text) =>
      Buffer.from(text),
    );
    const { out, hits } = runs(set, texts);
    expect(out.map(String)).toEqual([head, tail.slice(0, 1), MASK, tail, MASK, tail]);
    expect(hits).toHaveLength(2);
  });

  it('pass as they came where nothing is in them', () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
      fc.integer({ min: 0, max: 40 }).map((end) => Buffer.from(GITHUB.slice(0, end))),
      fc.integer({ min: 1, max: 40 }).map((start) => Buffer.from(GITHUB.slice(start))),
      fc.integer({ min: 0, max: 3_000 }).map((length) => Buffer.alloc(length, 'a')),
    );
    const set = setOf(GITHUB);
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (texts) => {
        const { out, hits } = runs(set, texts);
        const all = Buffer.concat(texts);
        if (!all.includes(GITHUB)) expect([out, hits]).toEqual([texts, []]);
        else expect(Buffer.concat(out).includes(GITHUB)).toBe(false);
      }),
      { numRuns: 2_000 },
    );
  });
});
