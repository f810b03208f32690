/**
 * Everything the data plane holds for one cell: its names, certificates, connections, upstreams and scrub set.
 * Nothing of it is shared with another cell but the index of placeholders, which is there to tell them apart.
 */
import type { Socket as UdpSocket } from 'node:dgram';
import type { Server, Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import type { AuditLog } from '../audit/index.ts';
import { type Clock, type Log, type Random } from '../kernel/index.ts';
import { type AcceptHost } from './accept.ts';
import { AddressTable } from './address-table.ts';
import type { Dialer } from './dial.ts';
import type { PlaceholderIndex } from './placeholder-index.ts';
import type { CallCorrelation, CellEgressSpec, CredentialSource } from './ports.ts';
import { type ScrubSet } from './scrub/index.ts';
import { Trail } from './trail.ts';
import { UpstreamPool } from './upstream-pool.ts';
export interface CellDeps {
  readonly credentials: CredentialSource;
  readonly calls: CallCorrelation;
  readonly audit: Pick<AuditLog, 'append'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly dialer: Dialer;
  readonly placeholders: PlaceholderIndex;
}
export declare class EgressCell implements AcceptHost {
  #private;
  readonly caPem: string;
  readonly ports: readonly number[];
  readonly spec: CellEgressSpec;
  readonly placeholders: PlaceholderIndex;
  readonly clock: Clock;
  readonly credentials: CredentialSource;
  readonly calls: CallCorrelation;
  readonly trail: Trail;
  readonly pool: UpstreamPool;
  readonly dialer: Dialer;
  readonly addresses: AddressTable;
  scrubSet: ScrubSet;
  constructor(spec: CellEgressSpec, addresses: AddressTable, deps: CellDeps);
  acceptTcp(port: number, server: Server): void;
  acceptDnsUdp(socket: UdpSocket): void;
  acceptDnsTcp(server: Server): void;
  /** Loads what answers are scrubbed of. Answers that have begun keep the set that they began with. */
  refresh(): Promise<void>;
  /** Cuts everything that is open, and accepts nothing more. */
  close(): void;
  /** @param now monotonic milliseconds */
  sweep(now: number): void;
  namesAt(address: string): ReadonlySet<string> | undefined;
  contextFor(name: string): SecureContext;
  nextRequestId(): string;
  /** Takes a connection into account, so that it can be cut; one too many is cut at once. */
  admit(socket: Socket): boolean;
}
