/** What rules mask in one message: by detectors everywhere, by key and pointer in its data, and nothing else of it. */
import { describe, expect, it } from 'vitest';
import { AppError, limits, Secret, silentLog, type WorkspaceId } from '../../../src/kernel/index.ts';
import { maskBook } from '../../../src/main/masking/mask-book.ts';
import { maskError, maskMessage, maskOutcome } from '../../../src/mcp/masking/masked-message.ts';
import { parseMessage } from '../../../src/mcp/protocol/message.ts';
import type { Maskers } from '../../../src/mcp/ports/masks.ts';
import type { DecidedMask } from '../../../src/policy/index.ts';
import { githubToken } from '../../masking/support.ts';
import { rulesOf } from '../../policy/rules/asking.ts';
import { masksBeside } from '../../../src/policy/index.ts';

const caller = { users: [], agents: [], tokens: [] };
const workspace = 'ws_test' as WorkspaceId;
const book = maskBook({
  ring: { purposeKey: async () => Secret.fromBytes(Buffer.alloc(32, 7)) },
  log: silentLog,
});

const masksOf = (...masks: readonly string[]): readonly DecidedMask[] =>
  masksBeside(
    rulesOf(
      `rules: [${masks.map((mask, index) => `{ id: r${index}, on: tool, do: mask, mask: ${mask} }`).join(',')}]`,
    ),
    'any',
    caller,
  );
const maskersOf = (...masks: readonly string[]): Promise<Maskers> =>
  book.maskersOf(workspace, masksOf(...masks));

function masked(text: string, maskers: Maskers): { text: string; hits: string[] } {
  const read = parseMessage(text);
  if (!read.ok) throw new Error(read.error.detail);
  const hits: string[] = [];
  const message = maskMessage(read.value, maskers, (found) => {
    for (const { rule, detector, where, count } of found) hits.push(`${rule} ${detector} ${where} ${count}`);
  });
  return { text: message.text, hits };
}
const answer = (result: string): string => `{"jsonrpc":"2.0","id":1,"result":${result}}`;

describe('keys and pointers', () => {
  it('are about data, in a text and beside it alike, and not about names that are the protocol’s', async () => {
    const maskers = await maskersOf('{ keys: [text, name, type, content], pointers: [/items/*/owner] }');
    const data = '{"items":[{"owner":"Ann","name":"n","ok":1.0}],"type":"t","content":[true,null,7]}';
    const hidden =
      '{"items":[{"owner":"[masked:r0]","name":"[masked:r0]","ok":1.0}],"type":"[masked:r0]","content":[false,null,0]}';
    const message = (json: string): string =>
      answer(
        `{"content":[{"type":"text","text":${JSON.stringify(json)},"x":[1.0]},{"type":"resource_link","name":"kept","uri":"a://1"}],"structuredContent":${json}}`,
      );
    const { text, hits } = masked(message(data), maskers);
    expect(text).toBe(message(hidden));
    expect(hits).toContain('r0 key /structuredContent/items/0/owner 1');
    expect(hits).toContain('r0 key /content/0/text#/items/0/owner 1');
  });

  it('are about members that the protocol does not know, and about the data of errors and notices', async () => {
    const maskers = await maskersOf('{ keys: [owner] }');
    expect(masked(answer('{"owner":"Ann","content":[]}'), maskers)).toEqual({
      text: answer('{"owner":"[masked:r0]","content":[]}'),
      hits: ['r0 key /owner 1'],
    });
    const error = '{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"no","data":{"owner":"Ann"}}}';
    expect(masked(error, maskers).text).toBe(error.replace('Ann', '[masked:r0]'));
    const notice = '{"jsonrpc":"2.0","method":"notifications/message","params":{"data":{"owner":"Ann"}}}';
    expect(masked(notice, maskers).text).toBe(notice.replace('Ann', '[masked:r0]'));
  });

  it.each([
    ['what a log message says', '{"jsonrpc":"2.0","method":"notifications/message","params":{"data":JSON}}'],
    ['the data of an error', '{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"no","data":JSON}}'],
    ['a text', answer('{"content":[{"type":"text","text":JSON}]}')],
  ])('are about JSON in a string, which a mark of its order of bytes may begin: %s', async (_, frame) => {
    const maskers = await maskersOf('{ keys: [owner], pointers: [/a/name] }');
    for (const before of ['', '\ufeff', '\u00a0\n']) {
      const said = (owner: string, name: string): string =>
        frame.replace('JSON', JSON.stringify(`${before}{"owner":"${owner}","a":{"name":"${name}"}}`));
      expect(masked(said('Ann', 'Bob'), maskers).text).toBe(said('[masked:r0]', '[masked:r0]'));
    }
  });

  it('of an object that names a member twice mask it wherever it is', async () => {
    const maskers = await maskersOf('{ keys: [owner] }');
    const { text } = masked(answer('{"a":1,"a":2,"structuredContent":{"owner":"Ann"}}'), maskers);
    expect(text).not.toContain('Ann');
  });
});

describe('several rules', () => {
  it('join, and the strictest of them holds, whatever their order', async () => {
    const partial = '{ keys: [card], strategy: partial }';
    const redact = '{ detectors: [payment-card] }';
    const hash = '{ keys: [card, other], strategy: hash }';
    const said = answer('{"structuredContent":{"card":"4111 1111 1111 1111","other":"x"}}');
    for (const order of [
      [partial, redact, hash],
      [hash, partial, redact],
      [redact, hash, partial],
    ]) {
      const { text } = masked(said, await maskersOf(...order));
      expect(text).toMatch(/"card":"\[masked:r[012]\]","other":"\[hash:[\w-]{16}\]"/);
    }
    const { text } = masked(said, await maskersOf(partial, '{ keys: [card], strategy: mask }'));
    expect(text).toContain('"card":"**** **** **** ****"');
    expect(masked(said, await maskersOf(partial)).text).toContain('"card":"**** **** **** 1111"');
  });
});

describe('what nothing is found in', () => {
  it('keeps every byte, and what is found is all that changes', async () => {
    const maskers = await maskersOf('{ detectors: [all], keys: [zzz], pointers: [/zzz] }');
    const odd =
      '{ "structuredContent" : {"n":12345678901234567890, "d":1.10,"s":"\\u00e9 \\/ é" } ,"x-v":1e-3}';
    const plain = `${answer(odd)} `.trim();
    expect(masked(plain, maskers)).toEqual({ text: plain, hits: [] });
    const found = plain.replace('\\/', githubToken);
    expect(masked(found, maskers).text).toBe(plain.replace('\\/', '[masked:github-token]'));
  });

  it('stays what both sides go by', async () => {
    const maskers = await maskersOf(`{ detectors: [all], patterns: [state, progress-1, 'accept.*'] }`);
    const asking = answer(
      `{"resultType":"input_required","inputRequests":{"k":{"method":"elicitation/create","params":{"mode":"url","url":"https://a.example/?state=${githubToken}","message":"state"}}},"requestState":"state ${githubToken}"}`,
    );
    expect(masked(asking, maskers).text).toBe(
      asking.replace('"message":"state"', '"message":"[masked:pattern]"'),
    );
    const progress =
      '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"progress-1","message":"state"}}';
    expect(masked(progress, maskers).text).toBe(
      progress.replace('"message":"state"', '"message":"[masked:pattern]"'),
    );
  });
});

describe('what cannot be looked through', () => {
  it.each([
    ['too long', () => `{"text":"${'x '.repeat(limits.maskingAnswerCharsMax / 2)}"}`],
    ['too deep', () => `{"structuredContent":${'['.repeat(200)}${']'.repeat(200)}}`],
  ])('%s is refused', async (_, make) => {
    const maskers = await maskersOf('{ detectors: [email] }');
    expect(() => masked(answer(make()), maskers)).toThrow(
      expect.objectContaining({ code: 'mask_answer_too_large' }),
    );
  });

  it('is refused where looking fails', () => {
    const broken: Maskers = {
      placed: null,
      whole: {
        maskText: () => ({ text: '', hits: [] }),
        maskTexts: () => [],
        maskJson: () => {
          throw new Error('broken');
        },
      },
    };
    expect(() => masked(answer('{}'), broken)).toThrow(expect.objectContaining({ code: 'mask_failed' }));
    const cut = {
      ...broken.whole,
      maskJson: () => ({ text: '{"a', hits: [{ rule: 'r', detector: 'd', where: '', count: 1 }] }),
    };
    expect(() =>
      masked(answer('{}'), {
        ...broken,
        whole: { ...cut, maskText: () => ({ text: '', hits: [] }), maskTexts: () => [] },
      }),
    ).toThrow(expect.objectContaining({ code: 'mask_failed' }));
  });

  it('and without a key for hashes nothing is answered at all', async () => {
    const lost = maskBook({ ring: { purposeKey: () => Promise.reject(new Error('gone')) }, log: silentLog });
    await expect(lost.maskersOf(workspace, masksOf('{ keys: [a], strategy: hash }'))).rejects.toMatchObject({
      code: 'masking_unavailable',
    });
    await expect(lost.maskersOf(workspace, masksOf('{ keys: [a] }'))).resolves.toBeDefined();
  });
});

it('an error keeps its code and kind, and loses what is masked', async () => {
  const maskers = await maskersOf('{ detectors: [secrets] }');
  const error = new AppError('upstream_exited', `It said ${githubToken}`, {
    kind: 'unavailable',
    hint: `Last: ${githubToken}`,
    retryAfterSeconds: 3,
  });
  expect(maskError(error, maskers, () => undefined)).toMatchObject({
    code: 'upstream_exited',
    message: 'It said [masked:github-token]',
    hint: 'Last: [masked:github-token]',
    kind: 'unavailable',
    retryAfterSeconds: 3,
  });
});

describe('structured content with a schema', () => {
  const outcome = async (result: string, schema: string): Promise<string> => {
    const read = parseMessage(answer(result));
    if (!read.ok || read.value.kind !== 'response') throw new Error('no answer');
    const { value } = read;
    const maskers = await maskersOf('{ keys: [mail] }');
    return (
      await maskOutcome(
        maskers,
        () => undefined,
        async () => value,
        schema,
      )
    ).text;
  };
  const schema = (mail: string): string =>
    `{"type":"object","properties":{"mail":${mail}},"required":["mail"]}`;
  const said =
    '{"content":[{"type":"text","text":"{\\"mail\\":\\"a@b.example\\"}"}],"structuredContent":{"mail":"a@b.example"}}';

  it('still fits it, while texts say what is masked', async () => {
    expect(await outcome(said, schema('{"type":"string","format":"email"}'))).toBe(
      answer(
        '{"content":[{"type":"text","text":"{\\"mail\\":\\"[masked:r0]\\"}"}],"structuredContent":{"mail":"masked@masked.invalid"}}',
      ),
    );
  });

  it('says so where nothing fits', async () => {
    const text = await outcome(said, schema('{"type":"string","pattern":"^a@b.ex"}'));
    expect(text).toContain('"structuredContent":{"mail":"[masked:r0]"}');
    expect(JSON.parse(text)).toMatchObject({
      result: { _meta: { 'app.sallyport/masked': { structuredContent: 'does not fit its schema' } } },
    });
  });
});
