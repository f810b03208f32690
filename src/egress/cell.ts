/**
 * Everything the data plane holds for one cell, or for one program that comes through the explicit proxy: its names, certificates, connections, upstreams and scrub set.
 * Nothing of it is shared with another cell but the index of placeholders, which is there to tell them apart.
 */
import type { CredentialHolder } from './exchange.ts';
import type { Socket as UdpSocket } from 'node:dgram';
import type { Server, Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import type { AuditLog } from '../audit/index.ts';
import { type Clock, limits, type Log, newId, type Random, type Secret } from '../kernel/index.ts';
import type { AddressTable } from './address-table.ts';
import { CellOverhead } from './cell-overhead.ts';
import { CellAuthority } from './ca/cell-authority.ts';
import type { ConnectionHost, Conversation } from './connection.ts';
import { Correlation, NO_CALLS } from './correlation.ts';
import type { Descriptors } from './descriptors.ts';
import type { Dialer } from './upstream/dial.ts';
import { DnsListener } from './dns-listener.ts';
import { HandshakeGate } from './handshake-gate.ts';
import type { PlaceholderIndex } from './inject/placeholder-index.ts';
import { listenedPorts } from './listened-ports.ts';
import { OwnExchange, shareClosed, tooManyRequests } from './own/exchange-client.ts';
import { fillPlaces } from './own/fill-places.ts';
import type {
  CallCorrelation,
  CellEgressSpec,
  CredentialSource,
  KnownSecret,
  OwnAnswer,
  OwnRequest,
  RequestLimits,
  RequestRules,
} from './ports.ts';
import { converse } from './protocol.ts';
import { createScrubSet, type ScrubSet } from './scrub/index.ts';
import { sourceOf, Trail } from './trail.ts';
import type { UpstreamPool, UpstreamPools } from './upstream/pool.ts';

export interface CellDeps {
  readonly credentials: CredentialSource;
  readonly calls: CallCorrelation;
  readonly rules: RequestRules;
  readonly limits: RequestLimits;
  readonly audit: Pick<AuditLog, 'record' | 'note'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly dialer: Dialer;
  readonly upstreams: UpstreamPools;
  readonly placeholders: PlaceholderIndex;
  readonly descriptors: Descriptors;
}

function destroyAll(secrets: readonly KnownSecret[]): void {
  for (const { value } of secrets) value.destroy();
}

/** No call is ever in flight for a program outside: what is for calls only is not for it. */
const OUTSIDE: CallCorrelation = { callsIn: () => OUTSIDE_CALLS };
const OUTSIDE_CALLS = { ...NO_CALLS, begun: true };

export class EgressCell implements ConnectionHost {
  readonly caPem: string;
  readonly ports: readonly number[];
  readonly spec: CellEgressSpec;
  readonly placeholders: PlaceholderIndex;
  readonly clock: Clock;
  readonly random: Random;
  readonly credentials: CredentialSource;
  readonly correlation: Correlation;
  readonly rules: RequestRules;
  readonly limits: RequestLimits;
  readonly trail: Trail;
  readonly pool: UpstreamPool;
  readonly bodies = { bytes: 0, bytesMax: limits.cellBodyBytesMax };
  readonly answers = { bytes: 0, bytesMax: limits.cellAnswerBytesMax };
  readonly streams = { open: 0 };
  readonly overhead: CellOverhead;
  readonly handshakes: HandshakeGate;
  readonly tunnels = new Set<Conversation>();
  readonly holders = new Set<CredentialHolder>();
  /** Requests that the gateway makes in this cell's name. */
  readonly #own = new Set<OwnExchange>();
  readonly dialer: Dialer;
  readonly addresses: AddressTable;
  scrubSet: ScrubSet = createScrubSet([]);
  readonly #authority: CellAuthority;
  readonly #dns: DnsListener;
  readonly #log: Log;
  readonly #descriptors: Descriptors;
  readonly #leaveDescriptors: () => void;
  readonly #connections = new Map<Socket, Conversation | null>();
  readonly #requestPrefix: string;
  /** Those that were rotated away first, oldest first; then those in use. */
  readonly #known: KnownSecret[] = [];
  /** Names of those in use. */
  #set: ReadonlySet<string> = new Set();
  #requests = 0;
  #closed = false;

  constructor(spec: CellEgressSpec, addresses: AddressTable, deps: CellDeps) {
    const { clock, random, log } = deps;
    this.spec = spec;
    this.addresses = addresses;
    this.placeholders = deps.placeholders;
    this.clock = clock;
    this.random = random;
    this.credentials = deps.credentials;
    this.rules = deps.rules;
    this.limits = deps.limits;
    const calls = spec.identity.proxy === undefined ? deps.calls : OUTSIDE;
    this.correlation = new Correlation(calls, spec.identity.cell, clock);
    this.handshakes = new HandshakeGate(clock);
    this.overhead = new CellOverhead(clock);
    this.dialer = deps.dialer;
    this.#log = log;
    this.#descriptors = deps.descriptors;
    this.#leaveDescriptors = deps.descriptors.join();
    this.trail = new Trail({ audit: deps.audit, source: sourceOf(spec.identity), clock, log });
    this.pool = deps.upstreams.join(spec.identity.workspace);
    const hosts = spec.rules.map((rule) => rule.host);
    this.#authority = new CellAuthority(spec.identity.server, hosts, { clock, random });
    this.caPem = this.#authority.caPem;
    this.ports = listenedPorts(spec.rules);
    this.#requestPrefix = `${newId('req', random)}-`;
    this.#dns = new DnsListener(this);
    if (spec.addresses === 'synthetic')
      for (const host of hosts) if (!host.startsWith('*')) addresses.syntheticFor(host);
  }

  /** Makes the cell's placeholders known, to itself and as foreign ones to every other cell. */
  claimPlaceholders(): void {
    const { credentials, identity } = this.spec;
    for (const { name, placeholder } of credentials) {
      this.placeholders.add({ cell: identity.cell, credential: name, placeholder });
    }
  }

  acceptTcp(port: number, server: Server): void {
    this.#listen(server);
    server.on('connection', (socket) => {
      const address = socket.localAddress ?? '';
      const names = this.addresses.namesAt(address);
      this.take(socket, (taken) => converse(taken, { port, address, names, tunnelled: false }, this));
    });
  }

  /** Takes a connection over, unless there are too many. @param handle given the connection, of which nothing was read */
  take(socket: Socket, handle: (socket: Socket) => Conversation): void {
    if (!this.admit(socket)) return;
    socket.allowHalfOpen = true;
    socket.setNoDelay(true);
    this.#connections.set(socket, handle(socket));
  }

  /**
   * A request of the gateway's own, with placeholders where it needs credentials.
   *
   * @param signal nobody wants the answer any more; its reason is thrown, and ends a body that has begun
   * @throws AppError with a refusal's code, message and hint; `egress_closed`
   */
  async request(request: OwnRequest, signal: AbortSignal): Promise<OwnAnswer> {
    signal.throwIfAborted();
    if (this.#closed) throw shareClosed();
    if (this.#own.size >= limits.cellConnectionsMax) throw tooManyRequests();
    const set = this.spec.credentials.filter(({ name }) => this.#set.has(name));
    const exchange: OwnExchange = new OwnExchange(this, fillPlaces(request, set), () => {
      this.#own.delete(exchange);
      signal.removeEventListener('abort', abort);
    });
    const abort = (): void => exchange.abort('client_closed', signal.reason);
    signal.addEventListener('abort', abort);
    this.#own.add(exchange);
    exchange.start();
    return exchange.answer;
  }

  acceptDnsUdp(socket: UdpSocket): void {
    this.#dns.serveUdp(socket);
  }

  acceptDnsTcp(server: Server): void {
    this.#listen(server);
    this.#dns.serveTcp(server);
  }

  /** Loads what answers are scrubbed of, those included that have begun. */
  async refresh(): Promise<void> {
    const { credentials, identity } = this.spec;
    const known = await this.credentials.known(identity);
    if (this.#closed) return destroyAll(known);
    this.#remember(known);
    this.#set = new Set(known.map(({ name }) => name));
    const masks = new Map(credentials.map(({ name, placeholder }) => [name, placeholder]));
    this.scrubSet = createScrubSet(
      this.#known.map(({ name, value }) => ({ name, value, mask: masks.get(name) ?? `[${name}]` })),
    );
    if (this.scrubSet.unprotected.length > 0) {
      this.#log.warn('egress.credential_too_short_to_mask', {
        cell: identity.cell,
        credentials: this.scrubSet.unprotected,
      });
    }
  }

  isSet(credential: string): boolean {
    return this.#set.has(credential);
  }

  masks(credential: string, value: Secret): boolean {
    return this.#known.some((known) => known.name === credential && known.value.equals(value));
  }

  /**
   * Values that were rotated away stay: an upstream that got one can send it back for as long as the cell lives. When
   * there are too many, the oldest go; never one that is in use.
   */
  #remember(known: readonly KnownSecret[]): void {
    const inUse = known.map((secret) => {
      const at = this.#known.findIndex(
        ({ name, value }) => name === secret.name && value.equals(secret.value),
      );
      const [same] = at < 0 ? [] : this.#known.splice(at, 1);
      if (same === undefined) return secret;
      secret.value.destroy();
      return same;
    });
    this.#known.push(...inUse);
    const kept = Math.max(limits.cellKnownSecretsMax, inUse.length);
    destroyAll(this.#known.splice(0, Math.max(0, this.#known.length - kept)));
  }

  /** Ends what goes on with such a credential in it, and what was logged in with any. */
  withdraw(which: (credential: string) => boolean): void {
    if (!this.spec.credentials.some(({ name }) => which(name))) return;
    for (const holder of this.holders) holder.withdraw(which);
    this.pool.dropLogins();
  }

  /** Cuts everything that is open, and accepts nothing more. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const [socket, conversation] of this.#connections) {
      conversation?.close();
      socket.destroy();
    }
    for (const tunnel of this.tunnels) tunnel.close();
    for (const exchange of this.#own) exchange.abort('cell_closed', shareClosed());
    this.handshakes.close();
    this.#dns.close();
    this.trail.close();
    this.pool.close();
    this.#leaveDescriptors();
    destroyAll(this.#known.splice(0));
    this.placeholders.removeCell(this.spec.identity.cell);
  }

  /** @param now monotonic milliseconds */
  sweep(now: number): void {
    for (const conversation of this.#connections.values()) conversation?.sweep(now);
    for (const tunnel of this.tunnels) tunnel.sweep(now);
    for (const exchange of this.#own) exchange.sweep(now);
    this.pool.sweep(now);
    this.trail.sweep();
  }

  contextFor(name: string): SecureContext {
    return this.#authority.contextFor(name);
  }

  nextRequestId(): string {
    this.#requests += 1;
    return `${this.#requestPrefix}${this.#requests.toString(36)}`;
  }

  /** Takes a connection into account, so that it can be cut; one too many is cut at once. */
  admit(socket: Socket): boolean {
    socket.on('error', () => socket.destroy());
    const objection = this.#closed ? null : this.#objection();
    if (this.#closed || objection !== null) {
      if (objection !== null)
        void this.trail.refused('connection', 'egress.refused', '', { code: objection });
      socket.destroy();
      return false;
    }
    this.#connections.set(socket, null);
    this.#descriptors.count(socket);
    socket.once('close', () => this.#connections.delete(socket));
    return true;
  }

  /** Why no more connections are taken; null when one is. */
  #objection(): string | null {
    if (this.#connections.size >= limits.cellConnectionsMax) return 'egress_connections_limit';
    const had = this.#connections.size + this.pool.share.inUse + this.tunnels.size;
    if (this.#descriptors.mayAdd(had)) return null;
    this.#descriptors.tell();
    return 'egress_descriptors_limit';
  }

  /** A listener that cannot accept one connection goes on with the next. */
  #listen(server: Server): void {
    server.on('error', (error) => {
      this.#log.error('egress.accept_failed', { cell: this.spec.identity.cell, error: error.message });
    });
  }
}
