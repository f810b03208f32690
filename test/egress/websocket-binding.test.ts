import { describe, expect, it } from 'vitest';
import {
  bindWebSocketBinary,
  bindWebSocketText,
  injectWebSocketText,
} from '../../src/egress/inject/bind-websocket.ts';
import type { CredentialBinding } from '../../src/egress/index.ts';
import { Refusal } from '../../src/egress/refusals.ts';
import { limits, Secret } from '../../src/kernel/index.ts';
import { FOREIGN, given } from './inject/bound-request.ts';
import { bearer, PLACEHOLDER, TOKEN } from './world.ts';

const SECOND = 'PLACEHOLDERb6Kq9XyZ24';
const text = [bearer({ inject: [{ websocket: 'text', format: 'AUTH {token}' }] })];
const json = [
  bearer({ inject: [{ websocket: '/d/token' }] }),
  bearer({ name: 'SECOND', placeholder: SECOND, inject: [{ websocket: '/d/0/k~1' }] }),
];

/** All slices one after the other. */
function boundAtOnce(...given: Parameters<typeof bindWebSocketText>) {
  const binding = bindWebSocketText(...given);
  let next = binding.next();
  while (next.done !== true) next = binding.next();
  return next.value;
}

/** The message that leaves, or the code of its refusal. */
function send(
  credentials: readonly CredentialBinding[],
  message: string,
  values: Record<string, string> = {},
): string {
  const { binder, request } = given(credentials);
  const bound = boundAtOnce(message, request, binder);
  if (bound instanceof Refusal) return bound.code;
  const opened = new Map(
    bound.map(({ binding: { name } }) => [name, Secret.fromString(values[name] ?? TOKEN)]),
  );
  try {
    return injectWebSocketText(message, bound, opened);
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
}

describe('a long text message', () => {
  const filler = 'x'.repeat(limits.bodySliceBytes - 20);

  it.each([
    ['without a key', `{"a":"${filler.repeat(4)}"}`, 4],
    ['without a key, with escapes', `{"a":"\\n${filler.repeat(4)}"}`, 7],
    ['with one', `{"a":"${filler.repeat(4)}","d":{"token":"${PLACEHOLDER}"}}`, 4],
    ['control: a short one', `{"d":{"token":"${PLACEHOLDER}"}}`, 1],
  ])('is searched in turns: %s', (_name, message, turns) => {
    const { binder, request } = given(json);
    const slices = [...bindWebSocketText(message, request, binder)];
    expect(slices.length + 1).toBeGreaterThanOrEqual(turns);
    if (turns === 1) expect(slices).toEqual([]);
    expect(send(json, message)).toBe(message.replace(PLACEHOLDER, TOKEN));
  });

  it.each([
    ['at its end', `{"a":"${filler.repeat(4)}${PLACEHOLDER}"}`],
    ['across two slices', `${'x'.repeat(limits.bodySliceBytes - 10)}${PLACEHOLDER}${filler}`],
    [
      'in base64 across two slices',
      `${'x'.repeat(limits.bodySliceBytes - 10)} ${btoa(PLACEHOLDER)} ${filler}`,
    ],
  ])('is refused with a placeholder %s', (_name, message) => {
    expect(send(json, message)).toBe('egress_placeholder_misplaced');
  });
});

describe('a text message', () => {
  it('becomes one with the key in its format', () => {
    expect(send(text, `AUTH ${PLACEHOLDER}`)).toBe(`AUTH ${TOKEN}`);
    expect(send([bearer({ inject: [{ websocket: 'text' }] })], PLACEHOLDER)).toBe(TOKEN);
    expect(send(text, 'hello \\ é')).toBe('hello \\ é');
    expect(send(text, '')).toBe('');
  });

  it('becomes one with the keys at their pointers, and every other character stays', () => {
    const message = `{ "op":2, "d" : {"token":"${PLACEHOLDER}", "n":1.0e5} }`;
    expect(send(json, message, { TOKEN: 'a"b' })).toBe(message.replace(PLACEHOLDER, 'a\\"b'));
    expect(send(json, `{"d":[{"k/":"${SECOND}"}]}`, { SECOND: 'é' })).toBe('{"d":[{"k/":"é"}]}');
    expect(send(json, `{"d":{"token":"${PLACEHOLDER.replace('g', '\\u0067')}"}}`)).toBe(
      `{"d":{"token":"${TOKEN}"}}`,
    );
  });

  it.each([
    ['in another format', text, `auth ${PLACEHOLDER}`],
    ['twice', text, `AUTH ${PLACEHOLDER} ${PLACEHOLDER}`],
    ['within a line of others', text, `x\nAUTH ${PLACEHOLDER}`],
    ['as JSON', text, `{"d":{"token":"${PLACEHOLDER}"}}`],
    ['in base64', text, `AUTH ${btoa(PLACEHOLDER)}`],
    ['at another pointer', json, `{"token":"${PLACEHOLDER}"}`],
    ['as a key', json, `{"${PLACEHOLDER}":1}`],
    ['escaped, at another pointer', json, `{"x":"${PLACEHOLDER.replace('g', '\\u0067')}"}`],
    ['at its pointer and elsewhere', json, `{"d":{"token":"${PLACEHOLDER}"},"x":"${PLACEHOLDER}"}`],
    [
      'at its pointer, and elsewhere in base64',
      json,
      `{"d":{"token":"${PLACEHOLDER}"},"x":"${btoa(PLACEHOLDER)}"}`,
    ],
    ['in what is no JSON', json, `{"d":{"token":"${PLACEHOLDER}"}`],
    ['in JSON with a key twice', json, `{"d":{"token":"x"},"d":{"token":"${PLACEHOLDER}"}}`],
    ['of another credential', json, `{"d":{"token":"${SECOND}"}}`],
  ])('is refused with a placeholder %s', (_name, credentials, message) => {
    expect(send(credentials, message)).toBe('egress_placeholder_misplaced');
  });

  it('is refused with a placeholder of another cell', () => {
    for (const message of [FOREIGN, `{"d":{"token":"${FOREIGN}"}}`, `AUTH ${FOREIGN}`])
      expect(send([...text, ...json.slice(1)], message)).toBe('egress_placeholder_foreign');
  });

  it('is refused where the connection is not covered', () => {
    const bound = [bearer({ paths: ['/ws'], inject: [{ websocket: 'text' }] })];
    expect(send(bound, PLACEHOLDER)).toBe('egress_placeholder_misplaced');
  });

  it('never carries what would end a line', () => {
    for (const TOKEN of ['a\nb', 'a\r', '\0'])
      expect(send(text, `AUTH ${PLACEHOLDER}`, { TOKEN })).toBe('egress_credential_unusable');
    const { binder, request } = given(json);
    const message = `{"d":{"token":"${PLACEHOLDER}"}}`;
    const bound = boundAtOnce(message, request, binder);
    if (bound instanceof Refusal) throw bound;
    const opened = new Map([['TOKEN', Secret.fromBytes(Buffer.from([0xff, 0x41]))]]);
    expect(() => injectWebSocketText(message, bound, opened)).toThrow('egress_credential_unusable');
  });
});

describe('a binary message', () => {
  it('is no place for a placeholder', () => {
    const { binder, request } = given(text);
    const codeOf = (data: Buffer): string | undefined => bindWebSocketBinary(data, request, binder)?.code;
    expect(codeOf(Buffer.from([0, 1, 2]))).toBe(undefined);
    expect(codeOf(Buffer.from(`AUTH ${PLACEHOLDER}`))).toBe('egress_placeholder_misplaced');
    expect(codeOf(Buffer.from(PLACEHOLDER, 'utf16le'))).toBe('egress_placeholder_misplaced');
    expect(codeOf(Buffer.from(`\0${FOREIGN}`))).toBe('egress_placeholder_foreign');
  });
});
