/** The seam between a connection and what carries it: what either side may count on. */
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { AppError, type CellId, limits, silentLog, systemClock, fixedClock } from '../../src/kernel/index.ts';
import type { UpstreamExit, UpstreamTransport } from '../../src/mcp/index.ts';
import { NOTHING_CARRIED } from '../../src/mcp/client/client-facts.ts';
import { LineLink } from '../../src/mcp/upstream/line-link.ts';
import { ownRequest } from '../../src/mcp/protocol/message.ts';
import { Turns } from '../../src/mcp/upstream/turns.ts';
import { UpstreamConnection } from '../../src/mcp/upstream/upstream-connection.ts';
import type { LinkSink, UpstreamLink } from '../../src/mcp/upstream/upstream-link.ts';

const gone = Promise.withResolvers<UpstreamExit>();
const base = { cell: 'cell_a' as CellId, exited: gone.promise, close: () => Promise.resolve() };

/** A link that notes what it is told, and whose server is the test. */
class ScriptedLink implements UpstreamLink {
  readonly told: string[] = [];
  backlogBytes = 0;
  sink: LinkSink | undefined;
  listen(sink: LinkSink): void {
    this.sink = sink;
  }
  request({ idText, text }: { idText: string; text: string }): void {
    this.told.push(`request ${idText} ${text}`);
  }
  send(text: string): void {
    this.told.push(`send ${text}`);
  }
  cancel(idText: string, notification: string | null): void {
    this.told.push(`cancel ${idText} ${notification ?? 'without a word'}`);
  }
  lastWords(): string {
    return '';
  }
}

function connectionOver(link: ScriptedLink): UpstreamConnection {
  const deps = { slug: 'notes', clock: systemClock, log: silentLog, version: '9', notified: () => undefined };
  return new UpstreamConnection({ transport: base, link, ...deps });
}

const failed = (code: string): AppError => new AppError(code, code, { kind: 'unavailable' });
const codeOf = (answer: Promise<unknown>): Promise<unknown> =>
  answer.then(
    () => 'answered',
    (error: unknown) => (error instanceof AppError ? error.code : error),
  );

describe('a connection', () => {
  it('fails the one request whose answer its link lost, or all where that cannot be told', async () => {
    const link = new ScriptedLink();
    const connection = connectionOver(link);
    const ask = (): Promise<unknown> =>
      codeOf(connection.request({ message: ownRequest('tools/list'), owner: null }).response);
    const [first, second, third] = [ask(), ask(), ask()];
    link.sink?.failed('2', failed('lost_one'));
    expect(await second).toBe('lost_one');
    link.sink?.message('{"jsonrpc":"2.0","id":1,"result":{}}');
    expect(await first).toBe('answered');
    const fourth = ask();
    link.sink?.failed(null, failed('lost_any'));
    expect([await third, await fourth]).toEqual(['lost_any', 'lost_any']);
    expect(connection.alive).toBe(true);
  });

  it('tells its link of a request that nobody waits for, and what a server may be told of it', async () => {
    const link = new ScriptedLink();
    const connection = connectionOver(link);
    for (const method of ['tools/list', 'initialize']) {
      const pending = connection.request({ message: ownRequest(method), owner: null });
      pending.cancel(failed('mcp_cancelled'));
      expect(await codeOf(pending.response)).toBe('mcp_cancelled');
    }
    expect(link.told).toEqual([
      'request 1 {"jsonrpc":"2.0","id":1,"method":"tools/list"}',
      'cancel 1 {"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1,"reason":"mcp_cancelled"}}',
      'request 2 {"jsonrpc":"2.0","id":2,"method":"initialize"}',
      'cancel 2 without a word',
    ]);
  });

  it('asks nothing more of a server that has not taken what it was sent', () => {
    const link = new ScriptedLink();
    const connection = connectionOver(link);
    link.backlogBytes = limits.mcpSendBufferBytesMax + 1;
    expect(() => connection.request({ message: ownRequest('tools/list'), owner: null })).toThrow(
      expect.objectContaining({ code: 'upstream_not_reading' }),
    );
    expect(link.told).toEqual([]);
  });
});

describe('a link of lines', () => {
  const clock = fixedClock(0);
  let onMessage = (): void => undefined;
  /** By which each step takes as long as all may take together. */
  const hurried = (): { monotonic(): number } => {
    let nowMs = 0;
    return { monotonic: () => (nowMs += limits.mcpTurnMs) };
  };
  function started(turns = new Turns(clock)) {
    const [input, output] = [new PassThrough(), new PassThrough()];
    const { promise: exited, resolve: exit } = Promise.withResolvers<UpstreamExit>();
    const transport: UpstreamTransport = {
      ...base,
      kind: 'lines',
      exited,
      input,
      output,
      stderrTail: () => 'last words',
    };
    const link = new LineLink(transport, { slug: 'notes', turns, clock, log: silentLog });
    const heard: string[] = [];
    const wanted = { value: true };
    link.listen({
      paused: () => undefined,
      message(text) {
        heard.push(`message ${text}`);
        onMessage();
        return wanted.value;
      },
      failed: (idText, error) => void heard.push(`failed ${idText} ${error.code}`),
      waits: () => true,
      exited: ({ reason }) => void heard.push(`exited ${reason}`),
    });
    return { link, input, output, exit, heard, wanted };
  }

  it('writes a line for each message, whatever line breaks are in it', async () => {
    const { link, input } = started();
    const about = { method: 'a', era: 'session', carried: NOTHING_CARRIED } as const;
    link.request({ idText: '1', text: '{"id":1,\r\n"method":"a"}', ...about });
    link.send('{"method":\n"b"}');
    link.cancel('1', '{"method":"c"}');
    link.cancel('2', null);
    await setImmediate();
    expect(String(input.read())).toBe('{"id":1, "method":"a"}\n{"method": "b"}\n{"method":"c"}\n');
  });

  it('hands up the last line of a server before its exit, also one that it did not end', async () => {
    const { output, exit, heard } = started();
    output.write('{"a":1}\n{"b":2}');
    await expect.poll(() => heard, { timeout: 10_000 }).toEqual(['message {"a":1}']);
    exit({ code: 0, signal: null, reason: 'it ended' });
    await expect
      .poll(() => heard, { timeout: 10_000 })
      .toEqual(['message {"a":1}', 'message {"b":2}', 'exited it ended']);
  });

  it('lets others have their turn within what a server says at once, and loses none of it at the end', async () => {
    const { output, exit, heard } = started(new Turns(hurried()));
    const all = Array.from({ length: 3 * limits.mcpMessagesPerStep }, (_, n) => `{"n":${n}}`);
    const first = once(output, 'data');
    output.write(`${all.join('\n')}\n{"rest":1}`);
    await first;
    const lookedAt = [heard.length];
    await setImmediate();
    lookedAt.push(heard.length);
    expect(lookedAt).toEqual([1, 2].map((steps) => steps * limits.mcpMessagesPerStep));
    exit({ code: 0, signal: null, reason: 'it ended' });
    await expect.poll(() => heard.at(-1), { timeout: 10_000 }).toBe('exited it ended');
    expect(heard).toEqual([...all, '{"rest":1}'].map((text) => `message ${text}`).concat('exited it ended'));
  });

  it('has nothing of a server looked at that said much before, until others had their turn, and then again at once', async () => {
    const { output, heard } = started(new Turns(hurried()));
    const much = (count: number): string => '{"n":1}\n'.repeat(count);
    output.write(much(limits.mcpMessagesPerStep + 1));
    await expect.poll(() => heard.length, { timeout: 10_000 }).toBe(limits.mcpMessagesPerStep + 1);
    const atOnce = async (text: string): Promise<number> => {
      const [before, read] = [heard.length, once(output, 'data')];
      output.write(text);
      await read;
      return heard.length - before;
    };
    expect(await atOnce(`${much(1)}${' '.repeat(4_096)}\n`)).toBe(0);
    await expect.poll(() => heard.length, { timeout: 10_000 }).toBe(limits.mcpMessagesPerStep + 2);
    expect(await atOnce(much(1))).toBe(0);
    await expect.poll(() => heard.length, { timeout: 10_000 }).toBe(limits.mcpMessagesPerStep + 3);
    expect(await atOnce(much(1))).toBe(1);
  });

  it('rests the longer the longer a piece took to look at that nobody wanted', async () => {
    const resting: number[] = [];
    const timers = vi.spyOn(globalThis, 'setTimeout');
    try {
      const { output, heard, wanted } = started(new Turns(hurried()));
      wanted.value = false;
      onMessage = () => clock.advance(1);
      output.write('{"flood":1}\n'.repeat(200));
      await expect.poll(() => heard.length, { timeout: 10_000 }).toBe(200);
      await expect.poll(() => output.isPaused(), { timeout: 10_000 }).toBe(true);
      for (const [, ms] of timers.mock.calls) if (ms !== undefined && ms > 1_000) resting.push(ms);
      const waited = 200 - limits.mcpMessagesPerStep;
      expect(resting).toContain(waited * limits.mcpFloodPauseFactor);
    } finally {
      timers.mockRestore();
      onMessage = () => undefined;
    }
  });

  it('reads a server on after a pause that says much nobody wants', async () => {
    const { output, heard, wanted } = started();
    wanted.value = false;
    output.write('{"flood":1}\n'.repeat(100));
    await expect.poll(() => heard.length, { timeout: 10_000 }).toBe(100);
    expect(output.isPaused()).toBe(true);
    output.write('{"after":1}\n');
    await expect.poll(() => heard.at(-1), { timeout: 10_000 }).toBe('message {"after":1}');
    wanted.value = true;
    output.write('{"answer":1}\n'.repeat(200));
    await expect.poll(() => heard.length, { timeout: 10_000 }).toBe(301);
    expect(output.isPaused()).toBe(false);
  });

  it.each([
    ['is not UTF-8 and names its request', '{"jsonrpc":"2.0","id":7,"result":"\xff"}', '7'],
    ['is not UTF-8 and names it at its end', '{"jsonrpc":"2.0","result":"\xff","id":8}', '8'],
  ])('says whose answer a line is that %s', async (_which, line, idText) => {
    const { output, heard } = started();
    output.write(Buffer.from(`${line}\n`, 'latin1'));
    await expect
      .poll(() => heard, { timeout: 10_000 })
      .toEqual([`failed ${idText} upstream_answer_malformed`]);
  });

  it('passes over a line of other bytes, and says that a line too long may be anybody’s', async () => {
    const { output, heard } = started();
    output.write(Buffer.from('\xff\xfe\n', 'latin1'));
    for (let left = limits.mcpMessageBytesMax; left >= 0; left -= limits.MIB) {
      output.write(Buffer.alloc(limits.MIB, 'x'));
    }
    output.write('\n{"next":1}\n');
    await expect
      .poll(() => heard, { timeout: 10_000 })
      .toEqual(['failed null upstream_answer_too_large', 'message {"next":1}']);
  });
});
