/** POSTs that are read off the connection by the front itself: what Node's own server answers, however the bytes come. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { limits } from '../../../src/kernel/index.ts';
import { fixture, type Harness, startHarness } from '../harness.ts';

const MCP = '/mcp/default/echo';
const META =
  '"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}';
const call = (id: number, tool = 'write', more = ''): string =>
  `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"${tool}"${more},${META}}}`;

const fields = (tool = 'write'): readonly string[] => [
  'Host: localhost',
  'Authorization: Bearer good.default',
  'Content-Type: application/json',
  'Accept: application/json, text/event-stream',
  'MCP-Protocol-Version: 2026-07-28',
  'Mcp-Method: tools/call',
  `Mcp-Name: ${tool}`,
];
const message = (head: readonly string[], body: string, line = `POST ${MCP} HTTP/1.1`): string =>
  `${[line, ...head].join('\r\n')}\r\n\r\n${body}`;
const sized = (body: string, head = fields()): string =>
  message([...head, `Content-Length: ${Buffer.byteLength(body)}`], body);

let harness: Harness;
/** The same front behind Node's own server alone. */
let plain: Server;
let ports: { readonly own: number; readonly node: number };
/** Connections at the gateway's end. */
const accepted: Socket[] = [];

beforeAll(async () => {
  harness = await startHarness({ default: { echo: { command: fixture('echo'), tools: '*' } } });
  harness.server.on('connection', (socket: Socket) => accepted.push(socket));
  plain = createServer((req, res) => void harness.front.handleHttp(req, res)).listen(0, '127.0.0.1');
  await once(plain, 'listening');
  ports = { own: Number(new URL(harness.url).port), node: (plain.address() as AddressInfo).port };
});
afterAll(async () => {
  plain.closeAllConnections();
  plain.close();
  await harness.close();
});

class Raw {
  readonly socket: Socket;
  text = '';
  closed = false;

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    this.socket.setNoDelay(true);
    this.socket.on('data', (chunk: Buffer) => {
      this.text += chunk.toString('latin1');
    });
    this.socket.on('error', () => undefined);
    // The end of what the gateway says is all that is waited for.
    this.socket.on('end', () => {
      this.closed = true;
      this.socket.destroy();
    });
    this.socket.on('close', () => {
      this.closed = true;
    });
  }

  /** What came, answer by answer, without what tells the two readers apart. */
  get answers(): readonly string[] {
    return this.text
      .split(/(?=HTTP\/1\.1 \d{3} )/)
      .filter(Boolean)
      .map((answer) => {
        const [head = '', body = ''] = answer.split('\r\n\r\n', 2);
        const [status = '', ...lines] = head.toLowerCase().split('\r\n');
        const told = lines.filter((line) => !/^(date|keep-alive):/.test(line)).toSorted();
        return [status, ...told, body].join('\n');
      });
  }

  async until(count: number): Promise<readonly string[]> {
    await expect.poll(() => this.complete, { timeout: 20_000 }).toBeGreaterThanOrEqual(count);
    return this.answers;
  }

  /** Answers that are whole; all that there will be once the connection is closed. */
  get complete(): number {
    const { answers } = this;
    if (this.closed) return Number.POSITIVE_INFINITY;
    return answers.filter((answer) => {
      const length = /\ncontent-length: (\d+)\n/.exec(answer)?.[1];
      return length !== undefined && answer.length - answer.lastIndexOf('\n') - 1 >= Number(length);
    }).length;
  }
}

async function exchange(port: number, pieces: readonly string[], count = 1): Promise<readonly string[]> {
  const raw = new Raw(port);
  await once(raw.socket, 'connect');
  for (const piece of pieces) raw.socket.write(piece, 'latin1');
  const answers = await raw.until(count);
  raw.socket.destroy();
  return answers;
}

describe('a POST that the front reads itself', () => {
  const cases: Readonly<Record<string, string>> = {
    'a call': sized(call(1)),
    'a call of something that is not there': sized(call(2, 'nothing')),
    'a body that is no JSON': sized('{"jsonrpc":'),
    'a body that is no message': sized('{}'),
    'an empty body': sized(''),
    'no body': message(fields(), ''),
    'a body in chunks': message(
      [...fields(), 'Transfer-Encoding: chunked'],
      `${call(3).length.toString(16)}\r\n${call(3)}\r\n0\r\n\r\n`,
    ),
    'a notification': sized('{"jsonrpc":"2.0","method":"notifications/x"}'),
    'no token': sized(
      call(4),
      fields().filter((line) => !line.startsWith('Auth')),
    ),
    'a wrong token': sized(
      call(5),
      fields().map((line) => line.replace('good', 'bad')),
    ),
    'another host': sized(
      call(6),
      fields().map((line) => line.replace('localhost', 'evil.example')),
    ),
    'another origin': sized(call(7), [...fields(), 'Origin: https://evil.example']),
    'another kind of body': sized(
      call(8),
      fields().map((line) => line.replace('application/json', 'text/plain')),
    ),
    'nothing that the client would take': sized(
      call(9),
      fields().map((line) => line.replace(/^Accept.*/, 'Accept: image/png')),
    ),
    'a header that differs from the body': sized(call(10), fields('other')),
    'a session that is not there': sized('{"jsonrpc":"2.0","id":1,"method":"ping"}', [
      ...fields().slice(0, 4),
      'Mcp-Session-Id: none',
    ]),
    'a profile that is not there': sized(call(11)).replace(MCP, '/mcp/other/echo'),
    'a path below it': sized(call(12)).replace(MCP, '/mcp/default/echo/more'),
    'a method of its own': sized(call(13)).replace('POST', 'PUT'),
    'one that it announces': sized(call(14), [...fields(), 'Expect: 100-continue']),
    'one after which it wants no other': sized(call(15), [...fields(), 'Connection: close']),
    'HTTP/1.0': sized(call(16)).replace('HTTP/1.1', 'HTTP/1.0'),
    'a field twice': sized(call(17), [...fields(), 'X-Twice: 1', 'X-Twice: 2']),
  };

  it.each(Object.entries(cases))('is answered as Node would have it: %s', async (_name, request) => {
    const [own, node] = await Promise.all([exchange(ports.own, [request]), exchange(ports.node, [request])]);
    expect(own).toEqual(node);
    expect(own[0]).toMatch(/^http\/1\.1 \d{3} /);
  });

  it('is read here, not by Node: the others say how long a connection is kept', async () => {
    const [raw, node] = [new Raw(ports.own), new Raw(ports.node)];
    for (const each of [raw, node]) each.socket.write(sized(call(1)));
    await Promise.all([raw.until(1), node.until(1)]);
    expect(raw.text).toContain('\r\nKeep-Alive: timeout=65\r\n');
    expect(raw.text).toMatch(/\r\nDate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n/);
    expect(node.text).toContain('\r\nKeep-Alive: timeout=5\r\n');
    for (const each of [raw, node]) each.socket.destroy();
  });

  it('is the same in two pieces, wherever it is cut', async () => {
    const request = sized(call(1));
    const [whole] = await exchange(ports.own, [request]);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: request.length - 1 }), async (cut) => {
        const raw = new Raw(ports.own);
        const before = accepted.length;
        await once(raw.socket, 'connect');
        await expect.poll(() => accepted.length, { timeout: 10_000, interval: 2 }).toBe(before + 1);
        raw.socket.write(request.slice(0, cut));
        const end = accepted.at(-1);
        await expect.poll(() => end?.bytesRead, { timeout: 10_000, interval: 2 }).toBe(cut);
        raw.socket.write(request.slice(cut));
        expect((await raw.until(1))[0]).toBe(whole);
        raw.socket.destroy();
      }),
      { numRuns: 25, examples: [[1], [9], [10], [request.indexOf('\r\n\r\n') + 4], [request.length - 1]] },
    );
  });

  it('comes one after the other on one connection, Node reading from the first that is its', async () => {
    const raw = new Raw(ports.own);
    const metadata = 'GET /.well-known/oauth-protected-resource HTTP/1.1\r\nHost: localhost\r\n\r\n';
    for (const [index, request] of [sized(call(1)), sized(call(2)), metadata, sized(call(3))].entries()) {
      raw.socket.write(request);
      await raw.until(index + 1);
    }
    expect(raw.answers.map((answer) => /"id":(\d)|"(resource)"/.exec(answer)?.slice(1).join(''))).toEqual([
      '1',
      '2',
      'resource',
      '3',
    ]);
    raw.socket.destroy();
  });

  it('may come before the one in front of it is answered: the answers are in order', async () => {
    const ids = Array.from({ length: 30 }, (_, index) => index + 1);
    const answers = await exchange(ports.own, [ids.map((id) => sized(call(id))).join('')], ids.length);
    expect(answers.map((answer) => Number(/"id":(\d+)/.exec(answer)?.[1]))).toEqual(ids);
  });

  it('has an answer that is larger than what the client takes at once, and the next is not mixed into it', async () => {
    const raw = new Raw(ports.own);
    const filling = 'é'.repeat(3_000_000);
    raw.socket.pause();
    raw.socket.write(sized(call(1, 'echo', `,"arguments":{"text":"${filling}"}`), fields('echo')));
    raw.socket.write(sized(call(2)));
    await expect.poll(() => harness.calls.length > 0, { timeout: 10_000 }).toBe(true);
    raw.socket.resume();
    const answers = await raw.until(2);
    expect(answers).toHaveLength(2);
    expect(Buffer.from(answers[0] ?? '', 'latin1').toString()).toContain(filling);
    expect(answers[1]).toContain('called write');
    raw.socket.destroy();
  });

  it('is not kept where the body is larger than a message may be, and the rest is not read', async () => {
    const raw = new Raw(ports.own);
    const length = limits.mcpMessageBytesMax + 1;
    raw.socket.write(message([...fields(), `Content-Length: ${length}`], '{"jsonrpc"'));
    await expect.poll(() => raw.closed, { timeout: 10_000 }).toBe(true);
    expect(raw.answers).toHaveLength(1);
    expect(raw.answers[0]).toMatch(/^http\/1\.1 413 /);
    expect(raw.answers[0]).toContain('"mcp_message_too_large"');
    expect(raw.answers[0]).toContain('\nconnection: close\n');
  });

  it('whose body does not come to its end is no call, and nobody waits for it', async () => {
    const raw = new Raw(ports.own);
    const before = accepted.length;
    await expect.poll(() => accepted.length, { timeout: 10_000 }).toBe(before + 1);
    const calls = harness.calls.length;
    const request = sized(call(1));
    raw.socket.write(request.slice(0, -1));
    await expect.poll(() => accepted.at(-1)?.bytesRead, { timeout: 10_000 }).toBe(request.length - 1);
    raw.socket.end();
    await expect.poll(() => accepted.at(-1)?.destroyed, { timeout: 10_000 }).toBe(true);
    expect(raw.text).toBe('');
    expect(harness.calls).toHaveLength(calls);
    expect((await exchange(ports.own, [request]))[0]).toContain('called write');
  });

  it.each(['own', 'node'] as const)(
    'has so much room with those of its caller while it comes, and others have theirs (%s)',
    async (by) => {
      const large = Buffer.alloc(limits.mcpBodyBytesPerCallerMax / 2 - limits.MIB, ' ');
      const half = (): Raw => {
        const raw = new Raw(ports[by]);
        raw.socket.write(message([...fields(), `Content-Length: ${large.length + limits.MIB}`], ''));
        raw.socket.write(large);
        return raw;
      };
      const first = [half(), half(), half()];
      const refused = () => first.filter((raw) => raw.text.includes('"mcp_bodies_too_large"'));
      await expect.poll(() => refused().length, { timeout: 20_000 }).toBeGreaterThan(0);
      expect(refused()[0]?.answers[0]).toMatch(/^http\/1\.1 429 /);
      const others = fields().map((field) => field.replace('good.', 'other.'));
      const request = (head: readonly string[], text: string): readonly string[] => {
        const whole = sized(call(1, 'write', `,"arguments":{"text":"${text}"}`), head);
        return [whole.slice(0, -10), whole.slice(-10)];
      };
      const filling = 'x'.repeat(4 * limits.MIB);
      expect((await exchange(ports[by], request(others, filling)))[0]).toContain('called write');
      for (const { socket } of first) socket.destroy();
      const again = async () => (await exchange(ports[by], request(fields(), filling)))[0];
      await expect.poll(again, { timeout: 20_000 }).toContain('called write');
    },
  );

  it('of which no more comes for a while loses its connection', async () => {
    const raw = new Raw(ports.own);
    const before = accepted.length;
    await expect.poll(() => accepted.length, { timeout: 10_000 }).toBe(before + 1);
    const end = accepted.at(-1);
    const half = sized(call(1)).slice(0, -1);
    raw.socket.write(half);
    await expect.poll(() => end?.bytesRead, { timeout: 10_000 }).toBe(half.length);
    end?.emit('timeout');
    await expect.poll(() => raw.closed, { timeout: 10_000 }).toBe(true);
    expect(raw.text).toBe('');
  });

  it('whose answer nobody reads on loses its connection', async () => {
    const raw = new Raw(ports.own);
    const before = accepted.length;
    await expect.poll(() => accepted.length, { timeout: 10_000 }).toBe(before + 1);
    const end = accepted.at(-1);
    raw.socket.pause();
    const filling = 'x'.repeat(8 * limits.MIB);
    raw.socket.write(sized(call(1, 'echo', `,"arguments":{"text":"${filling}"}`), fields('echo')));
    await expect.poll(() => end?.writableLength, { timeout: 20_000 }).toBeGreaterThan(filling.length);
    end?.emit('timeout');
    expect(end?.destroyed).toBe(true);
    raw.socket.destroy();
  });

  it('that asks for nothing for a while loses its connection, but not while it waits for an answer', async () => {
    const raw = new Raw(ports.own);
    const before = accepted.length;
    await expect.poll(() => accepted.length, { timeout: 10_000 }).toBe(before + 1);
    const end = accepted.at(-1);
    expect(end?.timeout).toBe(limits.frontIdleMs);
    const calls = harness.calls.length;
    raw.socket.write(sized(call(1, 'wait'), fields('wait')));
    await expect.poll(() => harness.calls.length, { timeout: 10_000 }).toBe(calls + 1);
    end?.emit('timeout');
    expect(end?.destroyed).toBe(false);
    raw.socket.destroy();
    const idle = new Raw(ports.own);
    idle.socket.write(sized(call(2)));
    await idle.until(1);
    accepted.at(-1)?.emit('timeout');
    await expect.poll(() => idle.closed, { timeout: 10_000 }).toBe(true);
    expect(idle.answers).toHaveLength(1);
  });

  it('ends with the front', async () => {
    const own = await startHarness({ default: { echo: { command: fixture('echo') } } });
    const raw = new Raw(Number(new URL(own.url).port));
    raw.socket.write(sized(call(1)));
    await raw.until(1);
    await own.close();
    await expect.poll(() => raw.closed, { timeout: 10_000 }).toBe(true);
  });
});
