/**
 * The resolver inside a cell. It answers for names on the list of the cell, from a table or, where the manifest
 * wants true addresses, from a resolution outside; everything else does not exist. No question is ever passed
 * on, so nothing can be told to anybody by asking (ATTACKS 3).
 */
import type { Socket as UdpSocket } from 'node:dgram';
import type { Server, Socket } from 'node:net';
import type { AddressTable } from './address-table.ts';
import type { Dialer } from './dial.ts';
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
export declare class DnsListener {
  #private;
  constructor(host: DnsHost);
  serveUdp(socket: UdpSocket): void;
  serveTcp(server: Server): void;
}
export {};
