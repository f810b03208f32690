/**
 * Has servers of the zoo misbehave, for `zoo.ts`: through a gateway's local socket, or each on a pipe of its own. In a process
 * by itself, so that what they send back costs the one who measures nothing. Told `start` and `stop`; answers when it has.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { stdioBridge } from './callers.ts';

export interface Visit {
  /** Of the gateway; null: directly. */
  readonly socket: string | null;
  readonly script: string;
  readonly names: readonly string[];
  /** For how long one that floods does so, in milliseconds. */
  readonly ms: number;
}

/** Those that do it when they are started or listed. */
const AT_LIST = new Set(['hangs-at-start', 'hangs-at-list', 'exits-at-start', 'endless-list', 'grows']);
/** Between two calls of a bad server, so that it is the server that is measured and not its client. */
const AGAIN_MS = 250;

const visit = JSON.parse(process.argv[2] ?? '{}') as Visit;
let stops: (() => void)[] = [];

process.on('message', (word) => {
  if (word === 'start') {
    for (const name of visit.names) stops.push(misbehave(name));
    process.send?.('started');
    return;
  }
  for (const stop of stops) stop();
  stops = [];
  process.send?.('stopped');
});
process.once('disconnect', () => {
  for (const stop of stops) stop();
  process.exit(0);
});
process.send?.('ready');

/** Again and again where it comes to an end. @returns what ends it */
function misbehave(name: string): () => void {
  let stopped = false;
  let end = (): void => undefined;
  void (async () => {
    while (!stopped) {
      const reached = await reach(name);
      end = () => reached.close();
      if (stopped) end();
      else converse(reached, name, () => stopped);
      await reached.closed;
      if (!stopped) await sleep(AGAIN_MS);
    }
  })();
  return () => {
    stopped = true;
    end();
  };
}

interface Reached {
  readonly input: Writable;
  readonly output: Readable;
  readonly closed: Promise<unknown>;
  close(): void;
}

async function reach(name: string): Promise<Reached> {
  if (visit.socket === null) return directly(name);
  const path = `/stdio?profile=default${AT_LIST.has(name) ? '' : `&server=${name}`}`;
  const bridge = await stdioBridge(visit.socket, path);
  bridge.on('error', () => undefined);
  const closed = new Promise((resolve) => bridge.once('close', resolve));
  return { input: bridge, output: bridge, closed, close: () => bridge.destroy() };
}

function directly(name: string): Reached {
  const child: ChildProcess = spawn(process.execPath, [visit.script, name], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const { stdin, stdout, stderr } = child;
  if (stdin === null || stdout === null || stderr === null) throw new Error('a pipe is missing');
  stdin.on('error', () => undefined);
  stderr.resume();
  const closed = new Promise((resolve) => child.once('close', resolve));
  return { input: stdin, output: stdout, closed, close: () => child.kill('SIGKILL') };
}

function converse({ input, output }: Reached, name: string, stopped: () => boolean): void {
  const request = AT_LIST.has(name)
    ? { method: 'tools/list' }
    : {
        method: 'tools/call',
        params: { name: 'go', arguments: { ms: visit.ms }, _meta: { progressToken: 'p' } },
      };
  const ask = (id: number): void => {
    if (!stopped()) input.write(`${JSON.stringify({ jsonrpc: '2.0', id, ...request })}\n`);
  };
  const clientInfo = { name: 'bench', version: '1.0.0' };
  const params = { protocolVersion: '2025-11-25', capabilities: { sampling: {} }, clientInfo };
  input.write(`${JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params })}\n`);
  let id = 1;
  ask(id);
  output.on('data', (chunk: Buffer) => {
    if (chunk.indexOf(`"id":${id}`) < 0) return;
    id += 1;
    setTimeout(ask, AGAIN_MS, id);
  });
}
