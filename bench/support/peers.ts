/** Other gateways from npm in front of the echo server, where `scripts/setup-clients` has installed them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { freePort, listening } from './processes.ts';

export interface Peer {
  readonly name: string;
  readonly url: string;
  readonly pid: number;
  close(): Promise<void>;
}

const INSTALLED = new URL('../../test/clients/node_modules/', import.meta.url);

interface Offer {
  readonly program: string;
  readonly words: (port: string, server: string) => readonly string[];
}

/* Flags and their values stand together. */
const PEERS: Readonly<Record<string, Offer>> = {
  'mcp-proxy': {
    program: 'mcp-proxy/dist/bin/mcp-proxy.mjs',
    words: (port, server) =>
      `--port ${port} --host 127.0.0.1 --server stream -- ${process.execPath} ${server}`.split(' '),
  },
  supergateway: {
    program: 'supergateway/dist/index.js',
    words: (port, server) => [
      '--stdio',
      `${process.execPath} ${server}`,
      ...`--outputTransport streamableHttp --stateful --port ${port} --logLevel none`.split(' '),
    ],
  },
};

/** @returns those that are installed; each has the server on stdio behind `/mcp` */
export async function openPeers(server: string): Promise<readonly Peer[]> {
  const peers: Peer[] = [];
  for (const [name, { program, words }] of Object.entries(PEERS)) {
    const file = fileURLToPath(new URL(program, INSTALLED));
    if (!existsSync(file)) continue;
    const port = await freePort();
    const child = spawn(process.execPath, [file, ...words(String(port), server)], { stdio: 'ignore' });
    await listening(child, port, name);
    peers.push({
      name,
      url: `http://127.0.0.1:${port}/mcp`,
      pid: child.pid ?? 0,
      async close() {
        const ended = once(child, 'exit');
        child.kill();
        await ended;
      },
    });
  }
  return peers;
}
