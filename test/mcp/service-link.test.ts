/** Tools that the gateway has itself, through the front: a client cannot tell them from those of a server. */
import { describe, expect, it } from 'vitest';
import { AppError, type CellId } from '../../src/kernel/index.ts';
import { NOTHING_CARRIED } from '../../src/mcp/client/client-facts.ts';
import type { ServiceTransport, ToolService } from '../../src/mcp/ports/upstreams.ts';
import { ServiceLink } from '../../src/mcp/upstream/service-link.ts';
import type { UpstreamExit } from '../../src/mcp/index.ts';

function open(over: Partial<ToolService> = {}) {
  const { promise: exited, resolve: end } = Promise.withResolvers<UpstreamExit>();
  const service: ToolService = {
    info: { name: 'shop', version: '1.0.0' },
    instructions: 'Ask for things.',
    tools: async () => ['{"name":"one", "odd":  1}', '{"name":"two"}'],
    call: async (tool, args) => `{"content":[],"structuredContent":{"tool":"${tool}","args":${args}}}`,
    templates: [{ uriTemplate: 'x://{id}', name: 'x' }],
    read: (uri) => (uri === 'x://1' ? '{"contents":[]}' : null),
    ...over,
  };
  const transport: ServiceTransport = {
    kind: 'service',
    cell: 'api_1' as CellId,
    exited,
    close: async () => {},
    service,
  };
  const link = new ServiceLink(transport);
  const heard: string[] = [];
  const ends: UpstreamExit[] = [];
  let told: (() => void) | null = null;
  link.listen({
    message: (text) => {
      heard.push(text);
      told?.();
      return true;
    },
    failed: () => {},
    paused: () => undefined,
    waits: () => true,
    exited: (exit) => ends.push(exit),
  });
  const ask = async (method: string, params?: object, idText = '7'): Promise<unknown> => {
    const message = {
      jsonrpc: '2.0',
      id: Number(idText),
      method,
      ...(params === undefined ? {} : { params }),
    };
    const answered = new Promise<void>((done) => {
      told = done;
    });
    link.request({
      idText,
      text: JSON.stringify(message),
      method,
      era: 'session',
      carried: NOTHING_CARRIED,
    });
    await answered;
    return JSON.parse(heard.at(-1) ?? '');
  };
  return { link, ask, heard, ends, end };
}

describe('a service behind its link', () => {
  it('answers as a server does, definitions as they were written', async () => {
    const { ask, heard } = open();
    expect(await ask('initialize', { protocolVersion: '2025-06-18' })).toEqual({
      jsonrpc: '2.0',
      id: 7,
      result: {
        protocolVersion: '2025-06-18',
        capabilities: { tools: {}, resources: {} },
        serverInfo: { name: 'shop', version: '1.0.0' },
        instructions: 'Ask for things.',
      },
    });
    expect(await ask('initialize', { protocolVersion: '1999-01-01' })).toMatchObject({
      result: { protocolVersion: '2025-11-25' },
    });
    expect(await ask('ping')).toMatchObject({ result: {} });
    await ask('tools/list');
    expect(heard.at(-1)).toContain('"tools":[{"name":"one", "odd":  1},{"name":"two"}]');
    expect(await ask('tools/call', { name: 'one', arguments: { n: 1 } })).toMatchObject({
      result: { structuredContent: { tool: 'one', args: { n: 1 } } },
    });
    expect(await ask('tools/call', { name: 'one' })).toMatchObject({
      result: { structuredContent: { args: {} } },
    });
    expect(await ask('resources/list')).toMatchObject({ result: { resources: [] } });
    expect(await ask('resources/templates/list')).toMatchObject({
      result: { resourceTemplates: [{ name: 'x' }] },
    });
    expect(await ask('resources/read', { uri: 'x://1' })).toMatchObject({ result: { contents: [] } });
    expect(await ask('resources/read', { uri: 'x://2' })).toMatchObject({ error: { code: -32002 } });
    expect(await ask('prompts/list')).toMatchObject({ error: { code: -32601 } });
    expect(await ask('server/discover')).toMatchObject({ error: { code: -32601 } });
  });

  it('has its failures as errors, and says no more of them than it may', async () => {
    const denied = new AppError('api_tool_unknown', 'Unknown tool: x', { kind: 'not_found' });
    expect(await open({ call: () => Promise.reject(denied) }).ask('tools/call', { name: 'x' })).toMatchObject(
      {
        error: { code: -32602, message: 'Unknown tool: x', data: { code: 'api_tool_unknown' } },
      },
    );
    const inner = await open({ call: () => Promise.reject(new Error('the file /secret')) }).ask(
      'tools/call',
      { name: 'x' },
    );
    expect(JSON.stringify(inner)).not.toContain('/secret');
  });

  it('is told when nobody waits any more, and answers nothing then', async () => {
    const signals: AbortSignal[] = [];
    const { link, ask, heard } = open({
      call: (_tool, _args, signal) => {
        signals.push(signal);
        return new Promise((_done, fail) => signal.addEventListener('abort', () => fail(signal.reason)));
      },
    });
    void ask('tools/call', { name: 'slow' }, '3');
    await expect.poll(() => signals.length, { timeout: 10_000 }).toBe(1);
    link.cancel('3');
    expect(signals[0]?.aborted).toBe(true);
    await ask('ping', undefined, '4');
    expect(heard.filter((text) => text.includes('"id":3'))).toEqual([]);
  });

  it('ends its calls with itself', async () => {
    const signals: AbortSignal[] = [];
    const { ask, ends, end } = open({
      call: (_tool, _args, signal) => {
        signals.push(signal);
        return new Promise(() => {});
      },
    });
    void ask('tools/call', { name: 'slow' });
    await expect.poll(() => signals.length, { timeout: 10_000 }).toBe(1);
    end({ code: null, signal: null, reason: 'killed' });
    await expect.poll(() => ends.length, { timeout: 10_000 }).toBe(1);
    expect(signals[0]?.aborted).toBe(true);
  });
});
