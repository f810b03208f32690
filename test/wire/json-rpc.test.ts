import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type JsonRpcEnvelope,
  memberText,
  parseJsonRpc,
  parseJsonRpcBatch,
  progressTokenText,
  withId,
  withIdText,
  withProgressTokenText,
} from '../../src/wire/index.ts';

const parsed = (raw: string): JsonRpcEnvelope => {
  const result = parseJsonRpc(raw);
  if (!result.ok) throw new Error(result.error);
  return result.value;
};

describe('parseJsonRpc', () => {
  it.each([
    [
      '{"jsonrpc":"2.0","id":1,"method":"ping"}',
      { kind: 'request', id: 1, idText: '1', method: 'ping', hasParams: false },
    ],
    [
      '{"jsonrpc":"2.0","id":"a\\u0062","method":"x","params":{}}',
      { kind: 'request', id: 'ab', idText: '"a\\u0062"', method: 'x', hasParams: true },
    ],
    [
      '{"id":1e2,"params":[1],"method":"x","jsonrpc":"2.0"}',
      { kind: 'request', id: 100, idText: '1e2', method: 'x', hasParams: true },
    ],
    [
      '{"jsonrpc":"2.0","method":"notifications/initialized"}',
      { kind: 'notification', id: null, idText: null, method: 'notifications/initialized', hasParams: false },
    ],
    [
      '{"jsonrpc":"2.0","id":0,"result":{}}',
      { kind: 'response', id: 0, idText: '0', method: null, hasParams: false },
    ],
    [
      '{"jsonrpc":"2.0","id":"","result":null}',
      { kind: 'response', id: '', idText: '""', method: null, hasParams: false },
    ],
    [
      '{"jsonrpc":"2.0","id":7,"error":{"code":-32601,"message":"no","data":1}}',
      { kind: 'error', id: 7, idText: '7', method: null, hasParams: false },
    ],
    [
      '{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"?"}}',
      { kind: 'error', id: null, idText: null, method: null, hasParams: false },
    ],
    [
      '{"jsonrpc":"2.0","error":{"code":-32700,"message":"?"}}',
      { kind: 'error', id: null, idText: null, method: null, hasParams: false },
    ],
    [
      ' {"jsonrpc":"2.0","id":1,"method":"x","extra":1e5,"extra2":[]}\r\n',
      { kind: 'request', id: 1, idText: '1', method: 'x', hasParams: false },
    ],
  ])('reads %s', (raw, envelope) => {
    expect(parseJsonRpc(raw)).toEqual({ ok: true, value: { ...envelope, raw } });
    expect(parseJsonRpc(Buffer.from(raw))).toEqual({ ok: true, value: { ...envelope, raw } });
  });

  it.each([
    ['', 'json_empty'],
    ['{"jsonrpc":"2.0","id":1', 'json_syntax'],
    ['{"jsonrpc":"2.0","id":1,"id":2,"method":"x"}', 'json_duplicate_key'],
    ['{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":1,"a":2}}', 'json_duplicate_key'],
    ['"x"', 'jsonrpc_not_object'],
    ['null', 'jsonrpc_not_object'],
    ['[{"jsonrpc":"2.0","id":1,"method":"x"}]', 'jsonrpc_batch'],
    ['{}', 'jsonrpc_version'],
    ['{"jsonrpc":"1.0","id":1,"method":"x"}', 'jsonrpc_version'],
    ['{"jsonrpc":2.0,"id":1,"method":"x"}', 'jsonrpc_version'],
    ['{"jsonrpc":"2.0","id":null,"method":"x"}', 'jsonrpc_id'],
    ['{"jsonrpc":"2.0","id":1.5,"method":"x"}', 'jsonrpc_id'],
    ['{"jsonrpc":"2.0","id":9007199254740993,"method":"x"}', 'jsonrpc_id'],
    ['{"jsonrpc":"2.0","id":true,"method":"x"}', 'jsonrpc_id'],
    ['{"jsonrpc":"2.0","id":[1],"method":"x"}', 'jsonrpc_id'],
    ['{"jsonrpc":"2.0","result":1}', 'jsonrpc_id'],
    ['{"jsonrpc":"2.0","id":null,"result":1}', 'jsonrpc_id'],
    ['{"jsonrpc":"2.0","id":1,"method":1}', 'jsonrpc_method'],
    ['{"jsonrpc":"2.0","id":1,"method":""}', 'jsonrpc_method'],
    ['{"jsonrpc":"2.0","id":1,"method":"x","params":null}', 'jsonrpc_params'],
    ['{"jsonrpc":"2.0","id":1,"method":"x","params":"p"}', 'jsonrpc_params'],
    ['{"jsonrpc":"2.0","id":1}', 'jsonrpc_shape'],
    ['{"jsonrpc":"2.0","id":1,"result":1,"error":{"code":1,"message":""}}', 'jsonrpc_shape'],
    ['{"jsonrpc":"2.0","id":1,"method":"x","result":1}', 'jsonrpc_shape'],
    ['{"jsonrpc":"2.0","id":1,"error":"no"}', 'jsonrpc_error'],
    ['{"jsonrpc":"2.0","id":1,"error":{"message":"no"}}', 'jsonrpc_error'],
    ['{"jsonrpc":"2.0","id":1,"error":{"code":1}}', 'jsonrpc_error'],
    ['{"jsonrpc":"2.0","id":1,"error":{"code":1.5,"message":"no"}}', 'jsonrpc_error'],
    ['{"jsonrpc":"2.0","id":1,"error":{"code":"1","message":"no"}}', 'jsonrpc_error'],
    ['{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":2}}', 'jsonrpc_error'],
  ])('refuses %s', (raw, code) => {
    expect(parseJsonRpc(raw)).toEqual({ ok: false, error: code });
  });

  it('says something to any beginning and any damage', () => {
    const valid =
      '{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"t","_meta":{"progressToken":1}}}';
    for (let length = 0; length < valid.length; length += 1)
      expect(parseJsonRpc(valid.slice(0, length)).ok).toBe(false);
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(127)), { maxLength: 3 }), (edits) => {
        const bytes = Buffer.from(valid);
        for (const [at, byte] of edits) bytes[at] = byte;
        const result = parseJsonRpc(bytes);
        expect(result.ok || result.error.startsWith('json')).toBe(true);
      }),
      { seed: 31, numRuns: 3000 },
    );
  });
});

describe('parseJsonRpcBatch', () => {
  it('splits an array into messages that keep their text', () => {
    const raw = '[ {"jsonrpc":"2.0","id":1.0,"method":"a"},{"jsonrpc":"2.0","method":"b","x":1e2} ]';
    const batch = parseJsonRpcBatch(raw);
    expect(batch.ok && batch.value.map((message) => message.raw)).toEqual([
      '{"jsonrpc":"2.0","id":1.0,"method":"a"}',
      '{"jsonrpc":"2.0","method":"b","x":1e2}',
    ]);
  });

  it('takes a single message, and refuses an empty or a nested array', () => {
    const single = parseJsonRpcBatch('{"jsonrpc":"2.0","method":"a"}');
    expect(single.ok && single.value.length).toBe(1);
    expect(parseJsonRpcBatch('[]')).toEqual({ ok: false, error: 'jsonrpc_batch_empty' });
    expect(parseJsonRpcBatch('[[]]')).toEqual({ ok: false, error: 'jsonrpc_batch' });
    expect(parseJsonRpcBatch('[1]')).toEqual({ ok: false, error: 'jsonrpc_not_object' });
    expect(parseJsonRpcBatch('[')).toEqual({ ok: false, error: 'json_syntax' });
  });
});

describe('rewriting', () => {
  const raw =
    ' {"unknown":12345678901234567890, "id" : 1, "jsonrpc":"2.0","method":"tools/call","params":{"id":9,"arguments":{"id":"$1","n":1.10},"_meta":{"progressToken":"p\\/1","other":2}}} ';

  it('replaces the identifier of the message and nothing else', () => {
    expect(withId(parsed(raw), 'g-$&-7')).toBe(raw.replace('"id" : 1,', () => '"id" : "g-$&-7",'));
    expect(withId(raw, 42)).toBe(raw.replace('"id" : 1,', '"id" : 42,'));
    expect(withIdText(withId(parsed(raw), 42), '1')).toBe(raw);
  });

  it('replaces the progress token of a request and of a notification', () => {
    expect(progressTokenText(parsed(raw))).toBe('"p\\/1"');
    expect(withProgressTokenText(parsed(raw), '5')).toBe(raw.replace('"p\\/1"', '5'));
    const progress =
      '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":5,"progress":0.10}}';
    expect(progressTokenText(parsed(progress))).toBe('5');
    expect(withProgressTokenText(parsed(progress), '"p\\/1"')).toBe(progress.replace(':5,', ':"p\\/1",'));
  });

  it('leaves a message without the member as it is', () => {
    const plain = '{"jsonrpc":"2.0","method":"x","params":[{"progressToken":1}]}';
    expect(progressTokenText(parsed(plain))).toBeNull();
    expect(withProgressTokenText(parsed(plain), '5')).toBe(plain);
    expect(withId(plain, 5)).toBe(plain);
  });

  it('shows the text of any member', () => {
    expect(memberText(parsed(raw), ['params', 'arguments', 'n'])).toBe('1.10');
    expect(memberText(parsed(raw), ['unknown'])).toBe('12345678901234567890');
    expect(memberText(parsed(raw), ['params', 'missing'])).toBeNull();
  });

  it('survives any message: other members keep their value', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.string(), (params, id) => {
        const message = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'x', params });
        if (!parseJsonRpc(message).ok) return;
        expect(JSON.parse(withId(message, id))).toEqual({ ...JSON.parse(message), id });
      }),
    );
  });
});
