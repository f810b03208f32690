/** What calls of the two tools of a search ask for: what is called keeps its bytes, and has one reading. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readEnvelope, type RpcRequest } from '../../../src/mcp/protocol/message.ts';
import { askedOf, calledThrough, metaTools } from '../../../src/mcp/search/meta-tools.ts';

function request(params: string): RpcRequest {
  const text = `{"jsonrpc":"2.0","id":7.0,"x":1.0,"method":"tools/call","params":${params}}`;
  const parsed = readEnvelope(text);
  if (!parsed.ok || parsed.value.kind !== 'request') throw new Error('no request');
  return parsed.value;
}
const called = (given: string, more = ''): string => {
  const result = calledThrough(request(`{"name":"call_tool","arguments":${given}${more}}`));
  return result.ok ? result.value.text : `fault: ${result.error}`;
};
const whole = (params: string): string =>
  `{"jsonrpc":"2.0","id":7.0,"x":1.0,"method":"tools/call","params":${params}}`;

describe('a call through another', () => {
  it.each([
    ['{"name":"s__t","arguments":{"n": 1.0}}', '', '{"name":"s__t","arguments":{"n": 1.0}}'],
    [
      '{"arguments":{"a":9007199254740993},"name":"s__t"}',
      '',
      '{"name":"s__t","arguments":{"a":9007199254740993}}',
    ],
    ['{"name":"s__\\u0074"}', '', '{"name":"s__\\u0074","arguments":{}}'],
    ['{"name":"s__t","arguments":null}', '', '{"name":"s__t","arguments":{}}'],
    ['{"name":"s__t","arguments":" {\\"a\\": 1e2}\\n"}', '', '{"name":"s__t","arguments":{"a": 1e2}}'],
    [
      '{"name":"s__t","arguments":{}}',
      ',"_meta":{"progressToken":1.0},"requestState":"x","inputResponses":{}',
      '{"name":"s__t","arguments":{},"_meta":{"progressToken":1.0},"requestState":"x","inputResponses":{}}',
    ],
  ])('%s is that call, with whatever else the request has', (given, more, params) => {
    expect(called(given, more)).toBe(whole(params));
  });

  it.each([
    ['{}', 'name'],
    ['{"name":7}', 'name'],
    ['[]', 'name'],
    ['"s__t"', 'name'],
    ['{"name":"s__t","name":"s__u"}', 'name'],
    ['{"name":"s__t","n\\u0061me":"s__u"}', 'name'],
    ['{"name":"s__t","Name":"s__u"}', 'name'],
    ['{"name":"s__t","arguments":[]}', 'arguments'],
    ['{"name":"s__t","arguments":7}', 'arguments'],
    ['{"name":"s__t","arguments":"a text"}', 'arguments'],
    ['{"name":"s__t","arguments":"[1]"}', 'arguments'],
    ['{"name":"s__t","arguments":"{} {}"}', 'arguments'],
    ['{"name":"s__t","arguments":{"a":1,"a":2}}', 'arguments'],
    ['{"name":"s__t","arguments":{"a":{"b":1,"\\u0062":2}}}', 'arguments'],
    ['{"name":"s__t","arguments":"{\\"a\\":1,\\"a\\":2}"}', 'arguments'],
  ])('%s is none: %s', (given, what) => {
    expect(called(given)).toMatch(new RegExp(`^fault: "${what}" must`));
  });

  it('of more values than a message may have, in one string, is none', () => {
    const many = (count: number) =>
      called(`{"name":"s__t","arguments":"{\\"a\\":[${'1,'.repeat(count)}1]}"}`);
    expect(many(400_000).slice(0, 20)).toBe(whole('').slice(0, 20));
    expect(many(600_000)).toBe('fault: "arguments" must be an object that names nothing twice.');
  });

  it('without arguments at all is none', () => {
    const result = calledThrough(request('{"name":"call_tool"}'));
    expect(result.ok ? '' : result.error).toContain('"name" must');
  });

  it('keeps every byte of its arguments', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (given) => {
        const text = JSON.stringify(given, null, 1);
        expect(called(`{"arguments":${text},"name":"s__t"}`)).toBe(
          whole(`{"name":"s__t","arguments":${text}}`),
        );
        const asText = called(`{"arguments":${JSON.stringify(text)},"name":"s__t"}`);
        expect(asText).toBe(whole(`{"name":"s__t","arguments":${text}}`));
      }),
    );
  });
});

describe('a search', () => {
  const asked = (given: string): unknown => {
    const result = askedOf(request(`{"name":"find_tools","arguments":${given}}`));
    return result.ok ? result.value : result.error;
  };

  it.each([
    ['{"query":"a"}', { query: 'a', server: null, limit: 5 }],
    ['{"query":"","server":"s","limit":25}', { query: '', server: 's', limit: 25 }],
    ['{"query":"\\u0061","server":null,"limit":null,"else":1}', { query: 'a', server: null, limit: 5 }],
    ['{"query":"a","limit":1e3}', { query: 'a', server: null, limit: 25 }],
  ])('%s asks for that', (given, what) => {
    expect(asked(given)).toEqual(what);
  });

  it.each([
    ['{}', '"query"'],
    ['{"query":7}', '"query"'],
    ['{"query":"a","query":"b"}', '"arguments"'],
    ['[]', '"arguments"'],
    ['{"query":"a","server":7}', '"server"'],
    ['{"query":"a","limit":0}', '"limit"'],
    ['{"query":"a","limit":1.5}', '"limit"'],
    ['{"query":"a","limit":"5"}', '"limit"'],
  ])('%s is told what is wrong: %s', (given, what) => {
    expect(asked(given)).toContain(`${what} must be`);
  });
});

it('says how many tools there are, of which servers, and no more of those than fit', () => {
  const offers = Array.from({ length: 60 }, (_, at) => ({ slug: `s${at}`, title: null, count: 2 }));
  const [find = ''] = metaTools([{ slug: 'git', title: 'Git\u202e\n\tHub', count: 1 }, ...offers]);
  const { description } = JSON.parse(find) as { description: string };
  expect(description).toContain('121 tools can be used here');
  expect(description).toContain('git (Git Hub, 1), s0 (2), ');
  expect(description).toContain('s48 (2), and 11 more.');
  expect(description.length).toBeLessThan(1_500);
  expect(metaTools([])[0]).toContain('0 tools can be used');
  expect(metaTools([{ slug: 's', title: 's', count: 1 }])[0]).toContain('1 tool can be used here');
});
