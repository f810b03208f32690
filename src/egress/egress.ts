/**
 * The data plane: the only way out of a cell. It accepts what the cell's listeners accept, and knows by them who
 * is calling; it trusts nothing that a cell or an upstream says. It never sees the database: credentials come
 * through `CredentialSource`, one at a time, after their use is on record.
 */
import type { Server } from 'node:net';
import type { AuditLog } from '../audit/index.ts';
import { AppError, type Clock, limits, type Log, type Random } from '../kernel/index.ts';
import { AddressTable } from './address-table.ts';
import { EgressCell } from './cell.ts';
import { Descriptors, systemDescriptors } from './descriptors.ts';
import { type DialConfig, Dialer, ownAddresses } from './upstream/dial.ts';
import { PlaceholderIndex } from './inject/placeholder-index.ts';
import { type OwnWays, ownWays } from './own/raw.ts';
import type {
  CallCorrelation,
  CellEgress,
  CellEgressSpec,
  CellIdentity,
  CredentialSource,
  OwnShare,
  ProxyAdmission,
  RequestLimits,
  RequestRules,
  Resolver,
} from './ports.ts';
import { ProxyDoor } from './proxy/door.ts';
import { type ProbeResult, type ProbeSpec, probe } from './probe/index.ts';
import { createSystemResolver } from './upstream/resolver.ts';
import { UpstreamPools } from './upstream/pool.ts';

export type EgressConfig = DialConfig;

export interface EgressDeps {
  readonly credentials: CredentialSource;
  readonly calls: CallCorrelation;
  readonly rules: RequestRules;
  readonly limits: RequestLimits;
  readonly audit: Pick<AuditLog, 'record' | 'note'>;
  /** How names become addresses outside of the cells. Default: as the machine is set up (`resolver.ts`). */
  readonly resolver?: Resolver;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly config: EgressConfig;
}

export interface Egress {
  /**
   * Makes room for a cell: its authority, its names, and what its answers are scrubbed of.
   *
   * @throws whatever `CredentialSource.known` throws; then there is no cell
   */
  openCell(spec: CellEgressSpec): Promise<CellEgress>;
  /**
   * The same for a server that is no program: its requests are the gateway's own, and take the same way.
   *
   * @throws whatever `CredentialSource.known` throws; then there is no share
   */
  openOwn(spec: Omit<CellEgressSpec, 'addresses'>): Promise<OwnShare>;
  /** For what the gateway says itself in a protocol that is no HTTP. */
  readonly ways: OwnWays;
  /**
   * Sends random values where a server's credentials would go, and tells who sends them back: see `probe/`.
   *
   * @param tell told in words what is asked
   * @param signal nobody wants to know any more; its reason is thrown where that is an AppError
   * @throws AppError `probe_path_invalid`, `probe_host_denied`, `probe_cancelled`, `audit_unavailable`
   */
  probe(
    spec: ProbeSpec,
    tell: (message: string) => void,
    signal: AbortSignal,
  ): Promise<readonly ProbeResult[]>;
  /**
   * Serves programs outside of cells, as an HTTP proxy, with what `openCell` gave for them.
   *
   * @param server listening, with `allowHalfOpen` and `pauseOnConnect`
   */
  acceptProxied(server: Server, admission: ProxyAdmission): void;
  /** Cuts what goes on anywhere with such a credential in it: its kill switch was set. */
  withdraw(which: (identity: CellIdentity, credential: string) => boolean): void;
  /** Closes all cells, and resolves when what happened in them is on record. */
  close(): Promise<void>;
}

/** What only tests replace. */
export interface EgressInternals {
  /** First address of the synthetic IPv4 range, as a number: tests have no network namespace to use the real one in. */
  readonly ipv4Base?: number;
}

export const createEgress = (deps: EgressDeps): Egress => createEgressWith(deps, {});

/** Not exported by the folder. */
export function createEgressWith(deps: EgressDeps, internals: EgressInternals): Egress {
  const placeholders = new PlaceholderIndex();
  const descriptors = new Descriptors(systemDescriptors(), deps.clock, deps.log);
  const resolver = deps.resolver ?? createSystemResolver(deps.clock);
  const dialer = new Dialer(resolver, deps.config, ownAddresses, deps.clock, descriptors);
  const upstreams = new UpstreamPools(dialer, deps.clock);
  const cells = new Set<EgressCell>();
  const cellOf = new WeakMap<CellEgress, EgressCell>();
  const doors = new Set<ProxyDoor>();
  /** What happened in cells that are closed and is not on record yet. */
  const settling = new Set<Promise<void>>();
  const closing = new AbortController();
  const closeCell = (cell: EgressCell): void => {
    if (!cells.delete(cell)) return;
    cell.close();
    const settled = cell.trail.settled().finally(() => settling.delete(settled));
    settling.add(settled);
  };
  const sweep = (): void => {
    const now = deps.clock.monotonic();
    for (const cell of cells) cell.sweep(now);
    for (const door of doors) door.sweep(now);
    descriptors.sweep();
    upstreams.sweep(now, descriptors.isScarce ? 0 : limits.upstreamIdleTimeoutMs);
  };
  /* After a while in which nothing could be read, what has come meanwhile is read before anybody is late. */
  const sweeper = setInterval(() => setImmediate(sweep), limits.egressSweepIntervalMs);
  sweeper.unref();

  async function open(spec: CellEgressSpec): Promise<EgressCell> {
    const addresses = new AddressTable(deps.random, internals.ipv4Base);
    const cell = new EgressCell(spec, addresses, { ...deps, dialer, upstreams, placeholders, descriptors });
    cells.add(cell);
    try {
      cell.claimPlaceholders();
      await cell.refresh();
      return cell;
    } catch (error) {
      closeCell(cell);
      throw error;
    }
  }

  return {
    async openCell(spec) {
      const cell = await open(spec);
      const share: CellEgress = {
        caPem: cell.caPem,
        ports: cell.ports,
        acceptTcp: (port, server) => cell.acceptTcp(port, server),
        acceptDnsUdp: (socket) => cell.acceptDnsUdp(socket),
        acceptDnsTcp: (server) => cell.acceptDnsTcp(server),
        refresh: () => cell.refresh(),
        close: () => closeCell(cell),
      };
      cellOf.set(share, cell);
      return share;
    },
    async openOwn(spec) {
      const cell = await open({ ...spec, addresses: 'real' });
      return {
        request: (request, signal) => cell.request(request, signal),
        refresh: () => cell.refresh(),
        close: () => closeCell(cell),
      };
    },
    ways: ownWays(dialer),
    withdraw(which) {
      for (const cell of cells) cell.withdraw((credential) => which(cell.spec.identity, credential));
    },
    acceptProxied(server, admission) {
      const door = new ProxyDoor(admission, { ...deps, hostOf: (share) => cellOf.get(share) });
      doors.add(door);
      door.accept(server);
    },
    async probe(spec, tell, signal) {
      // Connections of its own: what probes and what carries keys have none in common.
      const pool = upstreams.apart('probe');
      const use = { client: pool, login: false };
      const probing = probe(
        spec,
        { ...deps, connect: async (to, wanted) => pool.take(to, use) ?? pool.open(to, use, wanted) },
        tell,
        AbortSignal.any([signal, closing.signal]),
      ).finally(() => pool.close());
      const settled = probing.then(
        () => undefined,
        () => undefined,
      );
      settling.add(settled);
      try {
        return await probing;
      } finally {
        settling.delete(settled);
      }
    },
    async close() {
      clearInterval(sweeper);
      closing.abort(new AppError('probe_cancelled', 'The gateway is stopping.', { kind: 'unavailable' }));
      for (const door of doors) door.close();
      for (const cell of cells) closeCell(cell);
      await Promise.all([...settling, ...Array.from(doors, (door) => door.settled())]);
    },
  };
}
