/**
 * A connection that is passed on unread (`protocol: tcp`). What is in it nobody here understands, so nothing of it is
 * injected or scrubbed: it may lead only to hosts that no sealed credential goes to. The name is the one that its
 * address was given out for; the upstream is dialled with every check that requests get. What leaves is searched for
 * placeholders, which have no business in it. Intent and outcome are recorded as for a request.
 */
import type { Socket } from 'node:net';
import { limits, ok } from '../../kernel/index.ts';
import { matchEgress } from '../../policy/index.ts';
import { Fields, matchHost } from '../../wire/index.ts';
import { BodyScan } from '../inject/body-scan.ts';
import type { ConnectionHost, Conversation, Place } from '../connection.ts';
import { judgeMore, judgeTools } from '../correlate.ts';
import { ExchangeRecord } from '../exchange-record.ts';
import { Refusal, refusalCode } from '../refusals.ts';
import { EgressRequest } from '../request.ts';

/** Of its own: TLS is not spoken here, so there are no sessions to share. */
const DIAL_SCOPE = 'tcp';

/** The connection as the pipeline knows it: a request to connect. */
function requestFor(id: string, place: Place): EgressRequest {
  const { port, address, names } = place;
  const [host = ''] = names ?? [];
  const request = new EgressRequest(
    id,
    { scheme: 'http', port, address, names, sni: null },
    {
      head: { method: 'CONNECT', target: `${host}:${port}`, minor: 1, fields: new Fields() },
      framing: ok({ kind: 'none' }),
    },
    'tcp',
  );
  request.host = host;
  request.target = { path: '/', query: null, raw: '/' };
  return request;
}

export class TcpRelay implements Conversation {
  readonly #client: Socket;
  readonly #host: ConnectionHost;
  readonly #place: Place;
  readonly #request: EgressRequest;
  readonly #record: ExchangeRecord;
  readonly #scan: BodyScan;
  readonly #dialing = new AbortController();
  #upstream: Socket | null = null;
  /** Monotonic milliseconds of the last byte in or out. */
  #lastActive: number;
  #sentBytes = 0;
  #receivedBytes = 0;
  #over = false;
  /** Why it did not end as it should; null when it did. */
  #code: string | null = null;

  /** @param client of which nothing was read */
  constructor(client: Socket, place: Place, host: ConnectionHost) {
    this.#client = client;
    this.#host = host;
    this.#place = place;
    this.#request = requestFor(host.nextRequestId(), place);
    this.#record = new ExchangeRecord(host, this.#request);
    this.#scan = new BodyScan(this.#request, host, 'a connection that is passed on unread');
    this.#lastActive = host.clock.monotonic();
    client.pause();
    client.on('close', () => this.#clientClosed());
    void this.#open();
  }

  /** Once it is over the cell may still read what is left, for so long and no longer. */
  sweep(now: number): void {
    if (now - this.#lastActive < limits.tunnelIdleTimeoutMs) return;
    if (this.#over) this.#client.destroy();
    else this.#end('egress_timeout');
  }

  close(): void {
    this.#end('cell_closed');
  }

  async #open(): Promise<void> {
    try {
      const refused = this.#judge();
      if (refused !== null) throw refused;
      this.#host.tunnels.add(this);
      await this.#host.trail.during(this.#intend());
      if (this.#over) return;
      const { host, port } = this.#request;
      const { socket } = await this.#host.dialer.dial(
        { scheme: 'http', host, port },
        { scope: DIAL_SCOPE, protocols: ['http/1.1'], signal: this.#dialing.signal },
      );
      if (this.#over) socket.destroy();
      else this.#join(socket);
    } catch (error) {
      await this.#refuse(error);
    }
  }

  #judge(): Refusal | null {
    const { spec, correlation, tunnels } = this.#host;
    const { names, port } = this.#place;
    const { host } = this.#request;
    this.#request.occasion = correlation.now();
    if (names === undefined) return Refusal.bareAddress({});
    /* Nothing in it says which name is meant: that must be certain by the address. */
    if (names.size !== 1 || spec.addresses !== 'synthetic') return Refusal.of('egress_tcp_unnamed');
    const decision = matchEgress(spec.rules, { host, port, protocol: 'tcp' });
    if (!decision.allow) return Refusal.byPolicy(decision);
    const sealed = spec.credentials.find(({ hosts }) => hosts.some((pattern) => matchHost(pattern, host)));
    if (sealed !== undefined) return Refusal.of('egress_tcp_sealed', { host, port, credential: sealed.name });
    const refused = judgeTools(this.#request, this.#host);
    if (refused !== null) return refused;
    if (tunnels.size < limits.cellTunnelsMax) return null;
    return Refusal.of('egress_tunnels_limit', { allowed: String(limits.cellTunnelsMax) });
  }

  /** Whoever goes away meanwhile has left an intent, which needs its outcome all the same. */
  async #intend(): Promise<void> {
    await this.#host.trail.intent(this.#record.facts);
    this.#record.intended = true;
    if (this.#over) this.#finished(this.#code);
  }

  /** Half of it may end before the other half: each end is passed on when it comes. */
  #join(upstream: Socket): void {
    const client = this.#client;
    this.#upstream = upstream;
    upstream.allowHalfOpen = true;
    client.on('data', (data: Buffer) => this.#sent(data, upstream));
    client.on('end', () => this.#clientEnded(upstream));
    client.on('drain', () => upstream.resume());
    upstream.on('data', (data: Buffer) => {
      this.#lastActive = this.#host.clock.monotonic();
      this.#receivedBytes += data.length;
      if (!client.write(data)) upstream.pause();
    });
    upstream.on('end', () => client.end());
    upstream.on('drain', () => client.resume());
    upstream.on('close', () => this.#upstreamClosed(upstream));
    upstream.resume();
    client.resume();
  }

  #sent(data: Buffer, upstream: Socket): void {
    this.#lastActive = this.#host.clock.monotonic();
    const refused = judgeMore(this.#request, this.#host) ?? this.#scan.push(data);
    if (refused !== null) {
      void this.#refuse(refused);
      return;
    }
    this.#sentBytes += data.length;
    if (!upstream.write(data)) this.#client.pause();
  }

  #clientEnded(upstream: Socket): void {
    const refused = this.#scan.end();
    if (refused === null) upstream.end();
    else void this.#refuse(refused);
  }

  #clientClosed(): void {
    const upstream = this.#upstream;
    /* What it had sent when it left still arrives. */
    if (upstream !== null && upstream.writableEnded && upstream.readableEnded) return;
    this.#end('client_closed');
  }

  #upstreamClosed(upstream: Socket): void {
    const isComplete = upstream.readableEnded && upstream.writableFinished;
    if (isComplete && !this.#over) {
      this.#over = true;
      this.#finished(null);
      return;
    }
    this.#end('egress_upstream_closed');
  }

  async #refuse(reason: unknown): Promise<void> {
    if (this.#over) return;
    this.#cut(refusalCode(reason));
    await this.#record.refused(reason);
    this.#finished(this.#code);
  }

  #end(code: string): void {
    if (this.#over) return;
    this.#cut(code);
    this.#finished(code);
  }

  #cut(code: string): void {
    this.#over = true;
    this.#code = code;
    this.#dialing.abort();
    this.#client.destroy();
    this.#upstream?.destroy();
  }

  #finished(code: string | null): void {
    this.#host.tunnels.delete(this);
    const [requestBytes, responseBytes] = [this.#sentBytes, this.#receivedBytes];
    this.#record.finished({ status: null, requestBytes, responseBytes, code });
  }
}
