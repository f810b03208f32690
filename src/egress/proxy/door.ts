/**
 * The explicit proxy's door: programs outside of cells come here, with a token. It reads one request head, asks who
 * that is, and hands the connection to the same pipeline that serves cells. Nothing that the sender says is believed
 * before the token is; and a token, unlike the listener of a cell, can be shown by whoever has it, so every event
 * says that it came this way.
 */
import type { Server, Socket } from 'node:net';
import type { AuditLog } from '../../audit/index.ts';
import { AppError, type Clock, isAppError, type JsonObject, limits, type Log } from '../../kernel/index.ts';
import { matchEgress } from '../../policy/index.ts';
import { Fields, HEAD_ENCODING, type RequestHead, requestHeadReader } from '../../wire/index.ts';
import { Accepted } from '../accept.ts';
import type { EgressCell } from '../cell.ts';
import type { Conversation, Place } from '../connection.ts';
import { refusalAnswer } from '../head-refusal.ts';
import { Http1Downstream } from '../http1/downstream.ts';
import type { CellEgress, ProxyAdmission } from '../ports.ts';
import { Refusal, refusalCode, toWireRefusal } from '../refusals.ts';
import { Trail } from '../trail.ts';
import { loginOf, type ProxyTarget, targetOf } from './request.ts';

export interface ProxyDoorDeps {
  readonly audit: Pick<AuditLog, 'record' | 'note'>;
  readonly clock: Clock;
  readonly log: Log;
  /** What stands behind a share that was given out. */
  readonly hostOf: (share: CellEgress) => EgressCell | undefined;
}

const ESTABLISHED = Buffer.from('HTTP/1.1 200 Connection established\r\n\r\n', HEAD_ENCODING);
const PROXY_AUTHENTICATION_REQUIRED = 407;
/** Where the name came from, in place of an address. */
const ADDRESS = 'proxy';

const loginNeeded = (): AppError =>
  new AppError('proxy_login_needed', 'This proxy needs a token.', {
    kind: 'unauthenticated',
    hint: 'Set it in the URL of the proxy, http://SERVER:TOKEN@HOST:PORT. See: sallyport proxy env',
  });

interface Asked {
  readonly head: RequestHead;
  /** All that was read: the head, and what may have come with it. */
  readonly bytes: Buffer;
  readonly headBytes: number;
}

export class ProxyDoor {
  readonly #admission: ProxyAdmission;
  readonly #deps: ProxyDoorDeps;
  readonly #trail: Trail;
  /** Connections that have not been handed on, and when they came, in monotonic milliseconds. */
  readonly #waiting = new Map<Socket, number>();
  #closed = false;

  constructor(admission: ProxyAdmission, deps: ProxyDoorDeps) {
    this.#admission = admission;
    this.#deps = deps;
    const { workspace } = admission;
    const source = { workspace, actor: { kind: 'system', id: 'gateway' } as const, data: { via: 'proxy' } };
    this.#trail = new Trail({ ...deps, source });
  }

  accept(server: Server): void {
    server.on('error', (error) => this.#deps.log.error('egress.accept_failed', { error: error.message }));
    server.on('connection', (socket) => this.#accepted(socket));
  }

  /** @param now monotonic milliseconds */
  sweep(now: number): void {
    for (const [socket, since] of this.#waiting) {
      if (now - since >= limits.egressHeadTimeoutMs) socket.destroy();
    }
    this.#trail.sweep();
  }

  close(): void {
    this.#closed = true;
    for (const socket of this.#waiting.keys()) socket.destroy();
    this.#trail.close();
  }

  settled(): Promise<void> {
    return this.#trail.settled();
  }

  #accepted(socket: Socket): void {
    socket.on('error', () => socket.destroy());
    if (this.#closed || this.#waiting.size >= limits.proxyConnectionsMax) {
      if (!this.#closed) this.#record(socket, 'egress_connections_limit', {});
      socket.destroy();
      return;
    }
    this.#waiting.set(socket, this.#deps.clock.monotonic());
    socket.once('close', () => this.#waiting.delete(socket));
    this.#read(socket);
  }

  #read(socket: Socket): void {
    const reader = requestHeadReader();
    const pieces: Buffer[] = [];
    let before = 0;
    const onData = (piece: Buffer): void => {
      const taken = reader.read(piece, 0);
      pieces.push(piece);
      if (reader.error === null && reader.head === null) {
        before += piece.length;
        return;
      }
      socket.off('data', onData).off('end', onEnd);
      socket.pause();
      if (reader.head === null) {
        this.#refuse(socket, Refusal.of('egress_request_malformed', { reason: reader.error ?? 'malformed' }));
        return;
      }
      const asked = { head: reader.head, bytes: Buffer.concat(pieces), headBytes: before + taken };
      void this.#serve(socket, asked);
    };
    const onEnd = (): void => void socket.destroy();
    socket.on('data', onData).once('end', onEnd);
    socket.resume();
  }

  async #serve(socket: Socket, asked: Asked): Promise<void> {
    const facts: Record<string, string | number> = {};
    try {
      const target = targetOf(asked.head);
      if (!target.ok) throw Refusal.of('egress_proxy_target', { reason: target.error });
      const { host, port } = target.value;
      Object.assign(facts, { host, port });
      const login = loginOf(asked.head.fields);
      if (login === null) throw loginNeeded();
      if (login.server !== null) facts['asked'] = login.server;
      const share = await this.#admission.admit(login, socket.remoteAddress ?? '');
      const cell = this.#deps.hostOf(share);
      if (socket.destroyed || cell === undefined) socket.destroy();
      else this.#handOn(socket, asked, target.value, cell);
    } catch (error) {
      this.#refuse(socket, error, facts);
    }
  }

  /** From here on it is the session's, and ends with it. */
  #handOn(socket: Socket, asked: Asked, target: ProxyTarget, cell: EgressCell): void {
    const { host, port } = target;
    const names: ReadonlySet<string> = new Set([host]);
    if (target.kind === 'request') {
      const arrival = { scheme: 'http', port, address: ADDRESS, names, sni: null } as const;
      this.#waiting.delete(socket);
      cell.take(socket, (taken): Conversation => {
        const downstream = new Http1Downstream(taken, cell, arrival, true);
        taken.resume(); // before it is fed, because it pauses what it cannot take
        downstream.feed(asked.bytes);
        return downstream;
      });
      return;
    }
    const decision = matchEgress(cell.spec.rules, { host, port, protocol: 'https' });
    if (!decision.allow) {
      const data = { code: decision.code, host, port, address: ADDRESS };
      void cell.trail.refused('connection', 'egress.refused', `${host}:${port}`, data);
      this.#answer(socket, Refusal.byPolicy(decision));
      return;
    }
    this.#waiting.delete(socket);
    const place: Place = { port, address: ADDRESS, names, tunnelled: true };
    cell.take(socket, (taken) => {
      taken.write(ESTABLISHED);
      const rest = asked.bytes.subarray(asked.headBytes);
      if (rest.length > 0) taken.unshift(rest);
      return new Accepted(taken, place, cell);
    });
  }

  #refuse(socket: Socket, reason: unknown, facts: JsonObject = {}): void {
    const code = refusalCode(reason);
    if (code === 'internal_error') this.#trail.failed(reason, 'proxy');
    /* A token that is no good was put on record by whoever looked at it. */
    if (!isAppError(reason) || reason.kind !== 'unauthenticated' || code === 'proxy_login_needed') {
      const why = reason instanceof Refusal ? reason.facts.reason : undefined;
      this.#record(socket, code, why === undefined ? facts : { ...facts, reason: why });
    }
    this.#answer(socket, reason);
  }

  #record(socket: Socket, code: string, facts: JsonObject): void {
    const data = { ...facts, code, remoteAddress: socket.remoteAddress ?? null };
    void this.#trail.refused('connection', 'egress.refused', '', data);
  }

  /** The answer is read before the connection ends: what still comes is thrown away, for as long as the sweep allows. */
  #answer(socket: Socket, reason: unknown): void {
    if (socket.destroyed) return;
    const wire = toWireRefusal(reason);
    const isLogin = isAppError(reason) && reason.kind === 'unauthenticated';
    const fields = new Fields();
    if (isLogin) fields.add('Proxy-Authenticate', 'Basic realm="Sallyport", charset="UTF-8"');
    const status = isLogin ? PROXY_AUTHENTICATION_REQUIRED : wire.status;
    socket.end(refusalAnswer({ ...wire, status }, fields));
    let drained = 0;
    socket.on('data', (data: Buffer) => {
      drained += data.length;
      if (drained > limits.requestDrainBytesMax) socket.destroy();
    });
    socket.on('end', () => socket.destroySoon());
    socket.resume();
  }
}
