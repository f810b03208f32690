/**
 * Ways out for what the gateway says itself in a protocol that is no HTTP, such as syslog. Names are resolved, addresses judged
 * and certificates checked as for any upstream. There is no credential in it, and what is said is not read.
 */
import { createSocket } from 'node:dgram';
import type { Duplex } from 'node:stream';
import { addressFamily } from '../../wire/index.ts';
import { toWireRefusal } from '../refusals.ts';
import type { Dialer } from '../upstream/dial.ts';
import { refusalError } from './exchange-client.ts';

interface OwnDestination {
  /** Canonical name, or an address. */
  readonly host: string;
  readonly port: number;
}

/** TLS sessions are resumed among these alone. */
const SCOPE = 'own';

export interface OwnWays {
  /**
   * A connection. What goes wrong with it later is told by its `close`.
   * @throws AppError with the refusal's code, message and hint
   */
  connect(to: OwnDestination, tls: boolean, signal: AbortSignal): Promise<Duplex>;
  /** Resolves when the system has taken them all, which says nothing of the receiver. @throws AppError as `connect` */
  send(to: OwnDestination, datagrams: readonly Buffer[], signal: AbortSignal): Promise<void>;
}

export function ownWays(dialer: Dialer): OwnWays {
  return {
    async connect({ host, port }, tls, signal) {
      try {
        const scheme = tls ? 'https' : 'http';
        return (await dialer.dial({ scheme, host, port }, { scope: SCOPE, protocols: [], signal })).socket;
      } catch (error) {
        throw refusalError(toWireRefusal(error));
      }
    },
    async send({ host, port }, datagrams, signal) {
      const to = await dialer.endpoint(host, port, signal).catch((error: unknown) => {
        throw refusalError(toWireRefusal(error));
      });
      const socket = createSocket(addressFamily(to.address) === 6 ? 'udp6' : 'udp4');
      try {
        for (const datagram of datagrams)
          await new Promise<void>((resolve, reject) => {
            socket.once('error', reject);
            socket.send(datagram, to.port, to.address, (error) => {
              socket.off('error', reject);
              if (error === null) resolve();
              else reject(error);
            });
          });
      } finally {
        socket.close();
      }
    },
  };
}
