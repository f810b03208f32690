/**
 * The program that runs inside a cell's new network namespace, before the server does: binds the listeners, hands
 * them to the gateway over the IPC channel, and goes away.
 *
 * Self-contained: its text is handed to Node with `--eval`, because the cell's own user may not be able to read
 * the folder that this file is installed in. So it imports nothing but Node's own modules, and of it only a type is imported.
 * It trusts its arguments (the gateway's) and runs nothing of the cell's.
 */
import type { SendHandle } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

/** What it tells the gateway, with the listener itself beside the first two. */
export type SetupNote =
  | { readonly tcp: number }
  | { readonly udp: number }
  | { readonly ready: true; readonly dualStack: boolean };

/** Codes that say "this kernel has no IPv6", as opposed to "this port cannot be bound". */
const withoutIpv6 = new Set(['EAFNOSUPPORT', 'EADDRNOTAVAIL', 'EPROTONOSUPPORT']);
let dualStack = true;

/** Binds with `bind`, on both protocols if the kernel has both. */
async function onEveryAddress<T>(bind: (address: string) => Promise<T>): Promise<T> {
  if (!dualStack) return bind('0.0.0.0');
  try {
    return await bind('::');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && withoutIpv6.has(String(error.code)))) throw error;
    dualStack = false;
    return bind('0.0.0.0');
  }
}

function give(note: SetupNote, handle?: SendHandle): Promise<void> {
  return new Promise((resolve, reject) => {
    // Without a channel the gateway is gone, and there is nobody to work for.
    if (process.send === undefined) process.exit(1);
    process.send(note, handle, { keepOpen: false }, (error) => (error === null ? resolve() : reject(error)));
  });
}

async function giveTcp(port: number): Promise<void> {
  const server = await onEveryAddress((address) => {
    const listener = createServer();
    return new Promise<typeof listener>((resolve, reject) => {
      listener.once('error', reject).listen({ port, host: address, backlog: 511 }, () => resolve(listener));
    });
  });
  await give({ tcp: port }, server);
}

async function giveUdp(port: number): Promise<void> {
  const socket = await onEveryAddress((address) => {
    const bound = createSocket(address === '::' ? 'udp6' : 'udp4');
    return new Promise<typeof bound>((resolve, reject) => {
      bound.once('error', reject).bind(port, address, () => resolve(bound));
    });
  });
  await give({ udp: port }, socket);
}

// Without the gateway there is nothing to do here. Looking is needed: Node does not emit `disconnect` when the channel
// breaks while a handle is on its way.
const LOOK_MS = 20;
setInterval(() => {
  if (!process.connected) process.exit(1);
}, LOOK_MS);
// The gateway's answer to `ready`: it has everything and is alive.
process.once('message', () => process.exit(0));

const ports = process.argv.slice(1).map(Number);
await Promise.all([...ports.map(giveTcp), giveTcp(53), giveUdp(53)]);
// From who makes the routes beside this: nothing but that they are there. Waits for it.
if (readFileSync(0, 'latin1') !== 'routed\n') process.exit(1);
await give({ ready: true, dualStack });
