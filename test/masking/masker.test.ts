import { describe, expect, it } from 'vitest';
import type { Strategy } from '../../src/masking/index.ts';
import { everything, githubToken, maskerOf, privateKeyLine } from './support.ts';

/** What is in base64 behind the head of a mail. */
const base64 = (text: string): Buffer => Buffer.from(text.replace('mail:', ''), 'base64');
const json = (value: unknown): string => JSON.stringify(value);

describe('what is masked in JSON', () => {
  it('keeps every byte of what is not matched, and says where it masked what', () => {
    const text = `{ "a" : 1.0,\n"b":[ "x", {"c":"see ${githubToken}!"} ],"big":12345678901234567890e0 , "é\\u00e9":"\\/"}`;
    expect(everything.maskJson(text)).toEqual({
      text: text.replace(githubToken, '[masked:github-token]'),
      hits: [{ rule: 'all', detector: 'github-token', where: '/b/1/c', count: 1 }],
    });
  });

  it('gives the very text back when there is nothing', () => {
    const text = '{"a":[1,2,{"b":null}],"c":"nothing"}';
    expect(everything.maskJson(text)).toEqual({ text, hits: [] });
  });

  it('looks at strings as what they say', () => {
    const text = `{"a":"\\u0067h\\u0070_${githubToken.slice(4)}\\n"}`;
    expect(everything.maskJson(text).text).toBe('{"a":"[masked:github-token]\\n"}');
  });

  it('masks what is in JSON within strings, and leaves the rest of those as it is', () => {
    const inner = `{ "k" : [1.50, "${githubToken}"] }`;
    const masked = everything.maskJson(json({ text: json({ deep: inner }) }));
    expect(masked.text).toBe(
      json({ text: json({ deep: inner.replace(githubToken, '[masked:github-token]') }) }),
    );
    expect(masked.hits.map(({ where }) => where)).toEqual(['/text#/deep#/k/1']);
  });

  it('takes documents for JSON whatever blanks stand around them', () => {
    const masker = maskerOf({ id: 'k', keys: ['owner'], strategy: { kind: 'redact' } });
    const said = (owner: string): string =>
      `\ufeff{"owner":"${owner}"}\u2028\ufeff{"owner":"${owner}"}\u00a0`;
    expect(masker.maskJson(said('Ann')).text).toBe(said('[masked:k]'));
    expect(masker.maskText(said('Ann')).text).toBe(said('[masked:k]'));
  });

  it('masks keys, and keeps them apart', () => {
    const masked = everything.maskJson('{"a@example.org":1,"b@example.org":2}');
    expect(masked.text).toBe('{"[masked:email]":1,"[masked:email]~2":2}');
    expect(masked.hits).toEqual([{ rule: 'all', detector: 'email', where: '/[masked:email]', count: 2 }]);
  });

  it('masks a number that is a card, and leaves a number', () => {
    expect(everything.maskJson('{"card":4111111111111111,"id":4111111111111112}').text).toBe(
      '{"card":0,"id":4111111111111112}',
    );
  });

  it('masks the value of what is called a secret, in members and in lists of names and values', () => {
    const value = 'abcDEF123456xyz';
    const masked = everything.maskJson(
      json({ apiKey: value, env: [{ name: 'API_KEY', value }], next_page_token: value }),
    );
    expect(masked.text).toBe(
      json({
        apiKey: '[masked:named-secret]',
        env: [{ name: 'API_KEY', value: '[masked:named-secret]' }],
        next_page_token: value,
      }),
    );
  });

  it('takes what is not JSON for text', () => {
    for (const text of [
      `{"a":"${githubToken}"`,
      `{"a":"${githubToken}\\x"}`,
      `${'['.repeat(200)}"${githubToken}"`,
      `[1 "${githubToken}"]`,
    ])
      expect(everything.maskJson(text).text).not.toContain(githubToken);
  });

  it('takes for JSON what is, up to where it is none, and for text what follows', () => {
    const masker = maskerOf({
      id: 'all',
      keys: ['birthday'],
      detectors: ['all'],
      strategy: { kind: 'redact' },
    });
    const [first, second] = [githubToken.slice(0, 15), githubToken.slice(15)];
    const rows = json(Array.from({ length: 9_000 }, (_, id) => ({ id, said: 'nothing' }))).slice(1, -1);
    const begun = `[{"birthday":"x","cut":["${first}","${second}"]},${rows},{"birthday":"y"`;
    const masked = begun
      .replace('"x"', '"[masked:all]"')
      .replace(first, '[masked:github-token]')
      .replace(second, '[masked:github-token]')
      .replace('"y"', '"[masked:all]"');
    for (const [end, told] of [
      ['', ''],
      [`}]\nThat is ${githubToken}.`, '}]\nThat is [masked:github-token].'],
      [
        `,"password":hunter2hunter2,"said":"${githubToken}`,
        ',"password":[masked:named-secret],"said":"[masked:github-token]',
      ],
      [`,"a ${githubToken}\\x`, ',"a [masked:github-token]\\x'],
    ] as const)
      expect(masker.maskJson(json({ text: begun + end })).text).toBe(json({ text: masked + told }));
    const whole = masker.maskText(begun);
    expect(whole.text).toBe(masked);
    expect(whole.hits.map(({ where }) => where)).toEqual([
      '#/0/birthday',
      '#/0/cut/0',
      '#/0/cut/1',
      '#/9001/birthday',
    ]);
  });

  it('takes no character for another whose code ends alike', () => {
    // Low bytes of these are those of a quote, a backslash, a digit and a letter.
    const text = `{"a\u0122Ģ":"ĢŜ ${githubToken} Ģ","b":"ıł4111111111111111 ŧhp_x"}`;
    expect(everything.maskJson(text).text).toBe(
      text.replace(githubToken, '[masked:github-token]').replace('4111111111111111', '[masked:payment-card]'),
    );
  });

  it('masks lines of JSON', () => {
    const masker = maskerOf({ id: 'born', keys: ['birthday'], strategy: { kind: 'redact' } });
    expect(masker.maskJson('{"birthday":"x"}\n{"birthday":"y"}\n').text).toBe(
      '{"birthday":"[masked:born]"}\n{"birthday":"[masked:born]"}\n',
    );
  });
});

describe('what is masked of strings next to each other', () => {
  const [first, second] = [githubToken.slice(0, 15), githubToken.slice(15)];

  it('finds what goes on in the next item of an array', () => {
    expect(everything.maskJson(json(['a', `b ${first}`, `${second} c`])).text).toBe(
      '["a","b [masked:github-token]","[masked:github-token] c"]',
    );
  });

  it('finds what goes on in the text of the next block, escapes or not', () => {
    const text = json({
      content: [
        { type: 'text', text: `"${first}` },
        { type: 'text', text: `${second}\n` },
      ],
    });
    const masked = everything.maskJson(text);
    expect(masked.text).not.toContain(first.slice(4));
    expect(masked.text).not.toContain(second);
    expect(JSON.parse(masked.text)).toHaveProperty('content.0.text', '"[masked:github-token]');
  });

  it('finds what goes on in the next text', () => {
    expect(everything.maskTexts([`x ${first}`, `${second} y`, 'z']).map(({ text }) => text)).toEqual([
      'x [masked:github-token]',
      '[masked:github-token] y',
      'z',
    ]);
  });

  it('finds a key of many lines in an array of its lines', () => {
    const material = 'MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7';
    const lines = [privateKeyLine('BEGIN'), material, material, privateKeyLine('END'), 'after'];
    expect(JSON.parse(everything.maskJson(json(lines)).text)).toEqual([
      ...Array.from({ length: 4 }, () => '[masked:private-key]'),
      'after',
    ]);
  });
});

describe('what is masked of what is encoded', () => {
  it('decodes base64 and hex, and encodes what is left', () => {
    const said = `token is ${githubToken} ok`;
    const masked = everything.maskJson(
      json({ a: Buffer.from(said).toString('base64'), b: Buffer.from(said).toString('hex') }),
    );
    const { a, b } = Object(JSON.parse(masked.text));
    expect(Buffer.from(String(a), 'base64').toString()).toMatch(/^token is \[masked:github-token\]\** ok$/);
    expect(Buffer.from(String(b), 'hex').toString()).toBe('token is [masked:github-token] ok');
  });

  it.each([0, 1, 2, 3])('finds base64 that begins %i characters into a run', (offset) => {
    const text = `${'path'.slice(0, offset)}/${Buffer.from(githubToken).toString('base64')}`;
    expect(everything.maskText(text).hits).toMatchObject([{ detector: 'github-token', count: 1 }]);
  });

  it('reads what is broken into lines, and UTF-16, and leaves both readable', () => {
    const said = `It is ${githubToken}, of mail and of command lines.`;
    const told = said.replace(githubToken, '[masked:github-token]');
    const broken = (text: string): string => text.replaceAll(/(.{76})/g, '$1\r\n');
    const wide = Buffer.from(said, 'utf16le');
    const big = Buffer.from(said, 'utf16le').swap16();
    const ways: readonly [string, (masked: string) => string][] = [
      [`mail:\r\n\r\n${broken(Buffer.from(said).toString('base64'))}\r\n`, (text) => base64(text).toString()],
      [
        broken(Buffer.from(said).toString('hex')),
        (text) => Buffer.from(text.replaceAll(/\s/g, ''), 'hex').toString(),
      ],
      [wide.toString('base64'), (text) => base64(text).toString('utf16le')],
      [broken(wide.toString('base64')), (text) => base64(text).toString('utf16le')],
      [big.toString('base64url'), (text) => base64(text).swap16().toString('utf16le')],
      [wide.toString('hex'), (text) => Buffer.from(text, 'hex').toString('utf16le')],
      [wide.toString('latin1'), (text) => Buffer.from(text, 'latin1').toString('utf16le')],
      [big.toString('latin1'), (text) => Buffer.from(text, 'latin1').swap16().toString('utf16le')],
    ];
    for (const [text, read] of ways) {
      for (const masked of [everything.maskText(text), everything.maskJson(json({ a: text }))])
        expect(
          masked.hits.map(({ detector }) => detector),
          text,
        ).toEqual(['github-token']);
      const shown = read(everything.maskText(text).text).replaceAll(/\*{1,2}/g, '');
      expect(shown, text).toBe(told);
    }
  });

  it('keeps escapes beside what it masks', () => {
    expect(everything.maskText(`a\\n${githubToken}\\n`).text).toBe('a\\n[masked:github-token]\\n');
    expect(everything.maskText(`a%3D${githubToken}%26b`).text).toBe('a%3D[masked:github-token]%26b');
  });

  it('reads URLs, HTML and escapes of programs', () => {
    for (const text of [
      `https://h.example/?a=%3D${githubToken.replace('_', '%5f')}`,
      `<a>${githubToken.replace('g', '&#103;').replace('_', '&#x5f;')}</a>`,
      `x = "${githubToken.replace('_', '\\x5f')}";`,
      `"{\\"k\\":\\"${githubToken.replace('_', '\\\\u005f')}\\"}`,
    ])
      expect(everything.maskText(text).text).toContain('[masked:github-token]');
  });
});

describe('what rules select', () => {
  it('masks by key at any depth, with all that is under it, and keeps types', () => {
    const masker = maskerOf({ id: 'k', keys: ['Home_Address'], strategy: { kind: 'redact' } });
    const text =
      '{"a":[{"homeAddress":{"street":"x","no":5,"ok":true,"none":null,"more":["y"]}}],"home":"z"}';
    expect(masker.maskJson(text).text).toBe(
      '{"a":[{"homeAddress":{"street":"[masked:k]","no":0,"ok":false,"none":null,"more":["[masked:k]"]}}],"home":"z"}',
    );
  });

  it('masks by pointer, with any step', () => {
    const masker = maskerOf({ id: 'p', pointers: ['/items/*/owner', '/a~1b'], strategy: { kind: 'redact' } });
    expect(
      masker.maskJson('{"items":[{"owner":"x","id":"y"},{"owner":"z"}],"a/b":"s","owner":"t"}').text,
    ).toBe(
      '{"items":[{"owner":"[masked:p]","id":"y"},{"owner":"[masked:p]"}],"a/b":"[masked:p]","owner":"t"}',
    );
  });

  it('masks by pattern, or by the first group of one', () => {
    const masker = maskerOf({
      id: 'n',
      patterns: ['ACME-\\d{4}', 'room (\\d+)'],
      strategy: { kind: 'redact' },
    });
    expect(masker.maskJson('["ACME-1234 in room 55"]')).toEqual({
      text: '["[masked:pattern] in room [masked:pattern]"]',
      hits: [{ rule: 'n', detector: 'pattern', where: '/0', count: 2 }],
    });
  });

  it('masks by the first rule that selects, and by the stricter one where they overlap', () => {
    const masker = maskerOf(
      { id: 'mail', detectors: ['email'], strategy: { kind: 'partial', keepLast: 3 } },
      { id: 'all', detectors: ['all'], strategy: { kind: 'redact' } },
      { id: 'host', patterns: ['corp\\.example'], strategy: { kind: 'hash' } },
    );
    expect(masker.maskText('to jane@example.org').text).toBe('to ****@*******.org');
    expect(masker.maskText('to jane@corp.example').text).toMatch(/^to \[hash:[\w-]{16}\]$/);
  });
});

describe('what takes the place of a value', () => {
  const masked = (strategy: Strategy, text: string): string =>
    maskerOf({ id: 's', detectors: ['all'], strategy }).maskText(text).text;

  it('is as long, or keeps an end of no more than a quarter', () => {
    expect(masked({ kind: 'mask' }, 'card 4111-1111-1111-1111')).toBe('card ****-****-****-****');
    expect(masked({ kind: 'partial', keepLast: 4 }, 'card 4111-1111-1111-1111')).toBe(
      'card ****-****-****-1111',
    );
    expect(masked({ kind: 'partial', keepLast: 9 }, 'a@b.co')).toBe('*@*.*o');
  });

  it('is the same hash for the same value', () => {
    const [one, two, other] = ['a@example.org', 'a@example.org', 'b@example.org'].map((text) =>
      masked({ kind: 'hash' }, text),
    );
    expect(one).toMatch(/^\[hash:[\w-]{16}\]$/);
    expect(two).toBe(one);
    expect(other).not.toBe(one);
  });
});
