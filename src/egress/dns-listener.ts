/**
 * The resolver inside a cell. It answers for names on the list of the cell, from a table or, where the manifest
 * wants true addresses, from a resolution outside; everything else does not exist. No question is ever passed
 * on, so nothing can be told to anybody by asking (ATTACKS 3).
 */
import type { Socket as UdpSocket } from 'node:dgram';
import type { Server, Socket } from 'node:net';
import { limits } from '../kernel/index.ts';
import {
  DNS_TYPE_A,
  DNS_TYPE_AAAA,
  type DnsAnswer,
  type DnsQuery,
  encodeDnsAnswer,
  encodeDnsFailure,
  frameDnsTcp,
  matchHost,
  parseDnsQuery,
  parseHostname,
  readDnsTcpFrame,
} from '../wire/index.ts';
import type { AddressTable } from './address-table.ts';
import type { Dialer } from './upstream/dial.ts';
import type { CellEgressSpec } from './ports.ts';
import type { Trail } from './trail.ts';

interface DnsHost {
  readonly spec: CellEgressSpec;
  readonly addresses: AddressTable;
  readonly dialer: Dialer;
  readonly trail: Trail;
  /** Takes a connection into account; false when there are too many. */
  admit(socket: Socket): boolean;
}

type Transport = DnsAnswer['transport'];

export class DnsListener {
  readonly #host: DnsHost;
  /** Questions that wait for a resolution outside. */
  #waiting = 0;
  #closed = false;

  constructor(host: DnsHost) {
    this.#host = host;
  }

  serveUdp(socket: UdpSocket): void {
    socket.on('error', () => socket.close());
    socket.on('message', (bytes, from) => {
      void this.#answer(bytes, 'udp').then((answer) => {
        if (answer !== null) send(socket, answer, from.port, from.address);
      });
    });
  }

  serveTcp(server: Server): void {
    server.on('connection', (socket) => {
      if (this.#host.admit(socket)) this.#serveConnection(socket);
    });
  }

  /** Answers nothing more; the sockets stay their owner's. */
  close(): void {
    this.#closed = true;
  }

  #serveConnection(socket: Socket): void {
    let unread: Uint8Array = Buffer.alloc(0);
    socket.setTimeout(limits.egressIdleTimeoutMs, () => socket.destroy());
    socket.on('data', (bytes: Buffer) => {
      unread = unread.length === 0 ? bytes : Buffer.concat([unread, bytes]);
      for (let frame = readDnsTcpFrame(unread); ; frame = readDnsTcpFrame(unread)) {
        if (!frame.ok) {
          if (frame.error === 'dns_too_long') socket.destroy();
          return;
        }
        unread = frame.value.rest;
        void this.#answer(frame.value.message, 'tcp').then((answer) => {
          if (answer === null || socket.writableLength > limits.dnsUnreadBytesMax) socket.destroy();
          else if (!socket.destroyed) socket.write(frameDnsTcp(answer));
        });
      }
    });
    socket.resume();
  }

  async #answer(bytes: Uint8Array, transport: Transport): Promise<Buffer | null> {
    if (this.#closed) return null;
    const query = parseDnsQuery(bytes);
    if (!query.ok) {
      this.#refused('malformed', query.error, transport);
      return encodeDnsFailure(bytes, 'formerr');
    }
    const { name } = query.value;
    const isListed =
      parseHostname(name).ok && this.#host.spec.rules.some((rule) => matchHost(rule.host, name));
    if (!isListed) {
      this.#refused(name, 'not_listed', transport);
      return encodeDnsAnswer(query.value, answerOf('nxdomain', [], transport));
    }
    const addresses = await this.#addressesFor(query.value);
    const code = addresses === null ? 'servfail' : 'noerror';
    return encodeDnsAnswer(query.value, answerOf(code, addresses ?? [], transport));
  }

  async #addressesFor({ name, type }: DnsQuery): Promise<readonly string[] | null> {
    const { addresses, dialer, spec } = this.#host;
    if (type !== DNS_TYPE_A && type !== DNS_TYPE_AAAA) return [];
    if (spec.addresses === 'synthetic') {
      const synthetic = addresses.syntheticFor(name);
      return synthetic === null ? null : [synthetic.ipv4, synthetic.ipv6];
    }
    if (this.#waiting >= limits.cellDnsWaitingMax) return null;
    this.#waiting += 1;
    try {
      const found = await dialer.addresses(name);
      return addresses.answered(name, found) ? found : null;
    } catch {
      return null;
    } finally {
      this.#waiting -= 1;
    }
  }

  #refused(name: string, reason: string, transport: Transport): void {
    void this.#host.trail.refused('name', 'dns.refused', `${name} ${reason}`, { name, reason, transport });
  }
}

const answerOf = (
  code: DnsAnswer['code'],
  addresses: readonly string[],
  transport: Transport,
): DnsAnswer => ({
  code,
  addresses,
  ttlSeconds: limits.cellDnsTtlSeconds,
  transport,
});

function send(socket: UdpSocket, answer: Buffer, port: number, address: string): void {
  try {
    socket.send(answer, port, address);
  } catch {
    /* Closed since the question came: nobody is waiting. */
  }
}
