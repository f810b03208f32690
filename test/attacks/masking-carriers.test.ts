/**
 * Where a server may put a key or a card number so that rules look past it: members that masking leaves as they are, members
 * that no revision has, names, numbers in every way that JSON writes them, and spellings (ATTACKS 17). The control of each is
 * the same without the rule: then it arrives.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Secret, silentLog, type WorkspaceId } from '../../src/kernel/index.ts';
import { maskBook } from '../../src/main/masking/mask-book.ts';
import { maskWith } from '../../src/mcp/masking/masked-message.ts';
import { parseMessage } from '../../src/mcp/protocol/message.ts';
import type { Maskers } from '../../src/mcp/ports/masks.ts';
import { masksBeside } from '../../src/policy/index.ts';
import { githubToken } from '../masking/support.ts';
import { rulesOf } from '../policy/rules/asking.ts';

const CARD = '4111111111111111';
const book = maskBook({
  ring: { purposeKey: async () => Secret.fromBytes(Buffer.alloc(32, 7)) },
  log: silentLog,
});
afterAll(() => book.close());
let maskers: Maskers;
beforeAll(async () => {
  const rules = rulesOf('rules: [{ id: hide, on: tool, do: mask, mask: { detectors: [all] } }]');
  const masks = masksBeside(rules, 'any', { users: [], agents: [], tokens: [] });
  maskers = await book.maskersOf('ws_test' as WorkspaceId, masks);
});

/** What a client hears; null: nothing. */
function heard(text: string, by: Maskers): string | null {
  const read = parseMessage(text);
  if (!read.ok) throw new Error(read.error.detail);
  try {
    return maskWith(read.value, by, () => undefined, null).text;
  } catch {
    return null;
  }
}

const answer = (result: string, more = ''): string => `{"jsonrpc":"2.0","id":1,"result":${result}${more}}`;
const error = (members: string): string => `{"jsonrpc":"2.0","id":1,"error":{${members},"message":"no"}}`;
const notice = (method: string, params: string, more = ''): string =>
  `{"jsonrpc":"2.0","method":"notifications/${method}","params":{${params}}${more}}`;
const question = (method: string, params: string): string =>
  `{"jsonrpc":"2.0","id":1,"method":"${method}","params":{${params}}}`;
const text = (said: string): string => answer(JSON.stringify({ content: [{ type: 'text', text: said }] }));
const spelled = (write: (code: number) => string): string =>
  text(Array.from(Buffer.from(githubToken), write).join(''));

const messages: Readonly<Record<string, string>> = {
  'an isError that is none': answer(`{"content":[],"isError":"${githubToken}"}`),
  'a resultType that is none': answer(`{"content":[],"resultType":"${githubToken}"}`),
  'a requestState that is an object': answer(`{"requestState":{"a":"${githubToken}"}}`),
  'the uri of an answer': answer(`{"content":[],"uri":"${githubToken}"}`),
  'the code of an answer': answer(`{"content":[],"code":"${githubToken}"}`),
  'tokens of an answer': answer(
    `{"progressToken":"${githubToken}","_meta":{"progressToken":"${githubToken}"}}`,
  ),
  'an error code that is a text': error(`"code":"${githubToken}"`),
  'an error code that is a card': error(`"code":${CARD}`),
  'a progress token that is an object': notice('progress', `"progressToken":{"a":"${githubToken}"}`),
  'the uri of a log message': notice('message', `"uri":"${githubToken}","requestId":"${githubToken}"`),
  'the url of a question to a model': question('sampling/createMessage', `"url":"${githubToken}"`),
  'the url of such a question in an answer': answer(
    `{"resultType":"input_required","inputRequests":{"a":{"method":"sampling/createMessage","params":{"url":"${githubToken}"}}}}`,
  ),
  'a member beside the result': answer('{}', `,"x":["${githubToken}"]`),
  'parameters of an answer': answer('{}', `,"params":{"a":"${githubToken}"}`),
  'the name of a member beside the result': answer('{}', `,"${githubToken}":1`),
  'a member beside the parameters': notice('message', '', `,"x":"${githubToken}"`),
  'a method': notice(githubToken, ''),
  'a number with a fraction': answer(`{"structuredContent":{"a":${CARD}.0}}`),
  'a number with a longer fraction': answer(`{"structuredContent":{"a":${CARD}.000}}`),
  'a negative number': answer(`{"structuredContent":{"a":-${CARD}}}`),
  'a number with a power of ten': answer('{"structuredContent":{"a":4.111111111111111e15}}'),
  'a number with another': answer(`{"structuredContent":{"a":${CARD}00E-2}}`),
  'a number with none': answer(`{"structuredContent":{"a":${CARD}E0}}`),
  'spaces that break no line': text('4111\u00a01111\u00a01111\u00a01111'),
  'escapes in braces': spelled((code) => `\\u{${code.toString(16)}}`),
  'octal escapes': spelled((code) => `\\${code.toString(8)}`),
  'UTF-16 in base64': text(Buffer.from(`\ufeffIt is ${githubToken}.`, 'utf16le').toString('base64')),
  'base64 of mail': text(
    Buffer.from(`So long, it is ${githubToken}, and thanks.`)
      .toString('base64')
      .replaceAll(/(.{48})/g, '$1\r\n'),
  ),
};

it.each(Object.entries(messages))('%s', (_, message) => {
  expect(heard(message, { whole: null, placed: null })).toBe(message);
  const said = heard(message, maskers);
  expect(said).not.toBe(message);
  const parts = [githubToken.slice(0, 12), githubToken.slice(-12), CARD, '4.111111111111111e15'];
  for (const part of parts) expect(said ?? '').not.toContain(part);
});

it.each([
  answer(`{"resultType":"input_required","requestState":"${githubToken}","isError":false}`),
  answer(
    `{"inputRequests":{"a":{"method":"elicitation/create","params":{"mode":"url","url":"https://x.example/${githubToken}"}}}}`,
  ),
  error('"code":-32042'),
  notice('resources/updated', `"uri":"a://${githubToken}"`),
  notice('progress', '"progressToken":"p1","progress":1.0'),
  question('elicitation/create', `"mode":"url","url":"https://x.example/${githubToken}"`),
  answer(
    '{"structuredContent":{"a":[1234567.5,1234567.0,-1234567,1e300,4111111111111112.0,12345678901234567890.5]}}',
  ),
])('what both sides go by stays as it was: %s', (message) => {
  expect(heard(message, maskers)).toBe(message);
});
