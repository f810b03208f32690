/**
 * What is not a plain call: a list of a thousand tools, a call that asks its client and so ends and is tried again, and a
 * change that many listen for. Each against the same on a direct pipe, or with one who listens, in one run.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { ENVELOPE, INITIALIZE, statelessConnection, stdioBridge } from './callers.ts';
import type { BenchServer, GatewayAddress } from './gateway-process.ts';
import { median, print, tableLine } from './measured.ts';

const ROUNDS = 8;
const TIMES = 20;
const WARM_UP = 30;
const LISTENERS = 100;
const script = fileURLToPath(new URL('busy-server.mjs', import.meta.url));

const TOOLS = 1_000;
/** The same with many tools and with few: after a change a server is asked for all of them. */
export const busy: readonly BenchServer[] = [
  { name: 'busy', script, words: [String(TOOLS)], tools: null },
  { name: 'few', script, words: ['2'], tools: null },
];

type Action = () => Promise<void>;

interface Pair {
  readonly name: string;
  readonly against: string;
  readonly bare: Action;
  readonly ours: Action;
}

/** Lines of JSON-RPC, with an answer to whatever the server asks. */
class Lines {
  readonly #input: Writable;
  readonly #waiting = new Map<number, () => void>();
  #next = 1;

  constructor(input: Writable, output: Readable) {
    this.#input = input;
    createInterface({ input: output }).on('line', (line) => this.#line(line));
  }

  async begin(): Promise<this> {
    const done = new Promise<void>((resolve) => this.#waiting.set(0, resolve));
    const initialize = INITIALIZE.replace('"id":"init"', '"id":0');
    this.#input.write(`${initialize.replace('"capabilities":{}', '"capabilities":{"elicitation":{}}')}\n`);
    await done;
    this.#input.write('{"jsonrpc":"2.0","method":"notifications/initialized"}\n');
    return this;
  }

  ask(method: string, params = '{}'): Promise<void> {
    const id = this.#next;
    this.#next += 1;
    const answered = new Promise<void>((resolve) => this.#waiting.set(id, resolve));
    this.#input.write(`{"jsonrpc":"2.0","id":${id},"method":"${method}","params":${params}}\n`);
    return answered;
  }

  #line(line: string): void {
    if (line.includes('"elicitation/create"')) {
      const { id } = JSON.parse(line) as { id: string | number };
      const result = '{"action":"accept","content":{"name":"me"}}';
      this.#input.write(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${result}}\n`);
      return;
    }
    // The id stands in front or at the end, and a thousand tools are not read to find it.
    const match = /"id":(\d+)/.exec(line.slice(0, 100)) ?? /"id":(\d+)\}$/.exec(line.slice(-100));
    if (match === null) return;
    this.#waiting.get(Number(match[1]))?.();
    this.#waiting.delete(Number(match[1]));
  }
}

/** Clients that listen for changes; each counts what comes. */
class Listeners {
  readonly #sockets: Socket[] = [];
  #heard = 0;
  #all: PromiseWithResolvers<void> | null = null;

  async open({ url, token }: GatewayAddress, count: number): Promise<void> {
    const { hostname, port, host } = new URL(url);
    const notifications = '"notifications":{"toolsListChanged":true}';
    const body = `{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{${notifications},${ENVELOPE}}}`;
    for (let index = 0; index < count; index += 1) {
      const socket = connect(Number(port), hostname);
      this.#sockets.push(socket);
      socket.setEncoding('utf8');
      socket.write(
        `POST /mcp/default/few HTTP/1.1\r\nhost: ${host}\r\nauthorization: Bearer ${token}\r\n` +
          'content-type: application/json\r\naccept: application/json, text/event-stream\r\n' +
          'mcp-protocol-version: 2026-07-28\r\nmcp-method: subscriptions/listen\r\n' +
          `content-length: ${body.length}\r\n\r\n${body}`,
      );
      await this.#acknowledged(socket);
      socket.on('data', (text: string) => {
        if (text.includes('tools/list_changed')) this.#told();
      });
    }
  }

  async #acknowledged(socket: Socket): Promise<void> {
    for (let text = ''; !text.includes('subscriptions/acknowledged'); ) {
      const [more] = (await once(socket, 'data')) as [string];
      text += more;
      if (text.includes('"error"')) throw new Error(`nobody may listen: ${text}`);
    }
  }

  /** Resolves when every one has heard of the next change. */
  next(): Promise<void> {
    this.#heard = 0;
    this.#all = Promise.withResolvers();
    return this.#all.promise;
  }

  #told(): void {
    this.#heard += 1;
    if (this.#heard === this.#sockets.length) this.#all?.resolve();
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** A request that ends with a question, and its next try with the answer. */
function askingCaller({ url, token }: GatewayAddress): { readonly action: Action; close(): void } {
  const connection = statelessConnection(`${url}/mcp/default/few`, token, 'tools/call', 'ask');
  const call = (more: string): string =>
    `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ask","arguments":{}${more},${ENVELOPE}}}`;
  return {
    async action() {
      const { body } = await connection.post(call(''));
      const { result } = JSON.parse(body) as {
        result?: { requestState?: string; inputRequests?: Record<string, unknown> };
      };
      const [question] = Object.keys(result?.inputRequests ?? {});
      if (question === undefined) throw new Error(`nothing was asked: ${body}`);
      const answers = { [question]: { action: 'accept', content: { name: 'me' } } };
      const again = `,"requestState":${JSON.stringify(result?.requestState)},"inputResponses":${JSON.stringify(answers)}`;
      const end = await connection.post(call(again));
      if (!end.body.includes('"me"')) throw new Error(`the answer was lost: ${end.body}`);
    },
    close: () => connection.close(),
  };
}

/** @param gateway serves both of `busy` */
export async function otherRequests(gateway: GatewayAddress): Promise<void> {
  const child = spawn(process.execPath, [script, String(TOOLS)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const bridge = await stdioBridge(gateway.socket, '/stdio?profile=default&server=busy');
  const direct = await new Lines(child.stdin, child.stdout).begin();
  const ours = await new Lines(bridge, bridge).begin();
  const toFew = await stdioBridge(gateway.socket, '/stdio?profile=default&server=few');
  const few = await new Lines(toFew, toFew).begin();
  const asking = askingCaller(gateway);
  const [one, many] = [new Listeners(), new Listeners()];
  const change = (heard: Listeners) => async (): Promise<void> => {
    const all = heard.next();
    await few.ask('tools/call', '{"name":"change","arguments":{}}');
    await all;
  };
  const list = (lines: Lines) => () => lines.ask('tools/list');
  const ask = '{"name":"ask","arguments":{}}';
  const pairs: Pair[] = [
    { name: 'tools/list of 1,000 tools', against: 'direct pipe', bare: list(direct), ours: list(ours) },
    {
      name: 'a call that asks, two POSTs',
      against: 'direct pipe',
      bare: () => direct.ask('tools/call', ask),
      ours: asking.action,
    },
  ];
  print(tableLine(['other requests, ms', 'p50', 'against p50', '×', 'against what'], 18, 34));
  for (const pair of pairs) {
    const [bare, own] = await inTurns(pair);
    const cells = [own.toFixed(3), bare.toFixed(3), (own / bare).toFixed(2), pair.against];
    print(tableLine([pair.name, ...cells], 18, 34));
  }
  const first: number[] = [];
  const all: number[] = [];
  for (const [listeners, count, times] of [
    [one, 1, first],
    [many, LISTENERS, all],
  ] as const) {
    await listeners.open(gateway, count);
    await turn(change(listeners), WARM_UP, []);
    await turn(change(listeners), ROUNDS * TIMES, times);
    if (listeners === one) one.close();
  }
  const [toOne, toAll] = [median(first), median(all)];
  const changes = [toAll.toFixed(3), toOne.toFixed(3), (toAll / toOne).toFixed(2), 'one who listens'];
  print(tableLine([`a change, until ${LISTENERS} heard of it`, ...changes], 18, 34));
  for (const each of [many, asking]) each.close();
  bridge.destroy();
  toFew.destroy();
  child.kill();
}

async function turn(action: Action, count: number, into: number[]): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const before = performance.now();
    await action();
    into.push(performance.now() - before);
  }
}

/** @returns medians, in milliseconds */
async function inTurns({ bare, ours }: Pair): Promise<readonly [bare: number, ours: number]> {
  const times: [number[], number[]] = [[], []];
  for (const action of [bare, ours]) await turn(action, WARM_UP, []);
  for (let round = 0; round < ROUNDS; round += 1) {
    await turn(bare, TIMES, times[0]);
    await turn(ours, TIMES, times[1]);
  }
  return [median(times[0]), median(times[1])];
}
