/**
 * The sender of syslog messages. The protocol has no acknowledgement. Over TCP and TLS a batch has a connection to itself and
 * counts as taken once the receiver, told that nothing more comes, has closed its side without an error: a receiver that
 * goes away with something unread resets the connection. Of datagrams nobody knows whether they came.
 */
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { datagrams, framed, type Sender, syslogMessages, type SyslogOrigin } from '../../delivery/index.ts';
import type { Egress } from '../../egress/index.ts';
import { AppError, type Clock } from '../../kernel/index.ts';

export interface SyslogSettings {
  readonly address: { readonly host: string; readonly port: number };
  readonly transport: 'tls' | 'tcp' | 'udp';
}

export interface SyslogDeps {
  readonly egress: () => Pick<Egress, 'ways'>;
  readonly origin: SyslogOrigin;
  readonly clock: Clock;
}

export function syslogSender(
  { egress, origin, clock }: SyslogDeps,
  { address, transport }: SyslogSettings,
): Sender {
  if (transport === 'udp')
    return {
      async send(batch, signal) {
        await egress().ways.send(address, datagrams(batch, origin), signal);
        return { rejected: 0 };
      },
    };
  return {
    async send(batch, signal) {
      const begun = clock.monotonic();
      const connection = await egress().ways.connect(address, transport === 'tls', signal);
      const giveUp = (): void => void connection.destroy();
      signal.addEventListener('abort', giveUp, { once: true });
      try {
        if (signal.aborted) throw cut(address.host);
        await given(connection, framed(syslogMessages(batch, origin)), {
          host: address.host,
          // As long as a word there and back takes, and more.
          settleMs: SETTLE_MS + 2 * (clock.monotonic() - begun),
        });
        return { rejected: 0 };
      } finally {
        signal.removeEventListener('abort', giveUp);
        connection.destroy();
      }
    },
  };
}

/** Added to what the way there and back takes, in milliseconds. */
const SETTLE_MS = 20;

async function given(
  connection: Duplex,
  bytes: Buffer,
  { host, settleMs }: { readonly host: string; readonly settleMs: number },
): Promise<void> {
  let isOver = false;
  const closed = new Promise<void>((resolve) => {
    connection.once('close', () => {
      isOver = true;
      resolve();
    });
  });
  const ended = new Promise<void>((resolve) => {
    connection.once('end', () => resolve());
  });
  connection.on('error', () => undefined); // `close` follows
  connection.resume();
  const written = new Promise<void>((resolve) => {
    connection.write(bytes, () => resolve());
  });
  await Promise.race([written, closed]);
  // Who has ended before being told to, or does it now, may not have read what is still on its way.
  await Promise.race([ended, closed, sleep(settleMs)]);
  if (isOver || connection.readableEnded || connection.errored !== null) throw cut(host);
  connection.end();
  await Promise.race([ended, closed]);
  if (!connection.readableEnded || connection.errored !== null) throw cut(host);
}

const cut = (host: string): AppError =>
  new AppError('delivery_cut', `${host} closed the connection before it had all.`, {
    kind: 'unavailable',
    hint: 'It is sent again.',
  });
