import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Destination, Dialer } from '../../../src/egress/upstream/dial.ts';
import {
  logsInConnection,
  type UpstreamPool,
  UpstreamPools,
  type UpstreamUse,
} from '../../../src/egress/upstream/pool.ts';
import type { MultiplexedUpstream, UpstreamCodecs } from '../../../src/egress/upstream/places.ts';
import type { UpstreamConnection } from '../../../src/egress/message.ts';
import {
  type Clock,
  fixedClock,
  limits,
  newId,
  systemRandom,
  type WorkspaceId,
} from '../../../src/kernel/index.ts';
import { Fields } from '../../../src/wire/index.ts';
import { createTestAuthority } from '../test-authority.ts';

const authority = createTestAuthority(['test']);
const [CLIENT, OTHER] = [{}, {}];
const plain: UpstreamUse = { client: CLIENT, login: false };
const login: UpstreamUse = { client: CLIENT, login: true };
const never = new AbortController().signal;
const workspaceId = (): WorkspaceId => newId<'workspace'>('wsp', systemRandom);

/** A connection that nothing is sent on. */
class Played implements MultiplexedUpstream {
  readonly declines = false;
  reused = false;
  inUse = 0;
  room = 1;
  lastActive: number;
  readonly socket: Socket;

  constructor(socket: Socket, clock: Clock) {
    this.socket = socket.resume();
    this.lastActive = clock.monotonic();
  }
  get usable(): boolean {
    return this.inUse < this.room && !this.socket.destroyed;
  }
  send(): never {
    throw new Error('nothing is sent here');
  }
  destroy(): void {
    this.socket.destroy();
  }
}

const played = (connection: UpstreamConnection | null): Played => {
  if (connection instanceof Played) return connection;
  throw new Error('no connection');
};

const clock = fixedClock(0);
let accepted: Socket[] = [];
let server: Server;
let to: Destination;
let pools: UpstreamPools;
let workspace: WorkspaceId;
let pool: UpstreamPool;

function open(codecs: UpstreamCodecs): void {
  const dialer = new Dialer(
    { resolve: async () => ['127.0.0.1'] },
    { resolve: {}, extraCa: [authority.caPem], allowNetworks: ['127.0.0.0/8'] },
    () => [],
  );
  pools = new UpstreamPools(dialer, clock, codecs);
  workspace = workspaceId();
  pool = pools.join(workspace);
}

async function listen(of: Server, scheme: Destination['scheme']): Promise<void> {
  accepted = [];
  server = of;
  server.on('connection', (socket: Socket) => accepted.push(socket.on('error', () => undefined).resume()));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  to = { scheme, host: 'api.test', port: (server.address() as AddressInfo).port };
}

afterEach(() => {
  pool.close();
  for (const socket of accepted) socket.destroy();
  server.close();
});

const isOpen = (connection: UpstreamConnection): boolean => !played(connection).socket.destroyed;
const h1: UpstreamCodecs['h1'] = (socket, time) => new Played(socket, time);

describe('connections for one request at a time', () => {
  beforeEach(async () => {
    await listen(createServer(), 'http');
    open({ h1 });
  });

  it('are lent to one at a time, and the last one that came back goes out first', async () => {
    expect(pool.take(to, plain)).toBe(null);
    const [a, b] = [await pool.open(to, plain, never), await pool.open(to, plain, never)];
    expect(pool.take(to, plain)).toBe(null);
    pool.give(a, plain);
    pool.give(b, plain);
    expect([pool.take(to, plain), pool.take(to, plain), pool.take(to, plain)]).toEqual([b, a, null]);
  });

  it('are for one scheme, host and port', async () => {
    pool.give(await pool.open(to, plain, never), plain);
    for (const other of [{ host: 'b.test' }, { port: to.port + 1 }, { scheme: 'https' as const }])
      expect(pool.take({ ...to, ...other }, plain)).toBe(null);
    expect(pool.take(to, plain)).not.toBe(null);
  });

  it('are shared between the cells of a workspace, and with no other', async () => {
    const [neighbour, stranger] = [pools.join(workspace), pools.join(workspaceId())];
    const connection = await pool.open(to, plain, never);
    pool.give(connection, plain);
    expect(stranger.take(to, plain)).toBe(null);
    expect(pools.apart('probe').take(to, plain)).toBe(null);
    expect(neighbour.take(to, plain)).toBe(connection);
    neighbour.close();
    stranger.close();
  });

  it('are cut with the cell that has them, and those of others are not', async () => {
    const neighbour = pools.join(workspace);
    const [mine, idle, theirs] = await Promise.all([
      pool.open(to, plain, never),
      pool.open(to, plain, never),
      neighbour.open(to, plain, never),
    ]);
    pool.give(idle, plain);
    pool.close();
    expect([mine, idle, theirs].map(isOpen)).toEqual([false, true, true]);
    expect(neighbour.take(to, plain)).toBe(idle);
    neighbour.give(idle, plain);
    neighbour.close(); // was the last
    expect([idle, theirs].map(isOpen)).toEqual([false, false]);
  });

  it('that are being made are given up with the cell', async () => {
    const opening = pool.open(to, plain, never);
    pool.close();
    await expect(opening).rejects.toMatchObject({ code: 'egress_upstream_unresolved' });
  });

  it('that come back to a closed cell are not kept', async () => {
    const neighbour = pools.join(workspace);
    const connection = await pool.open(to, plain, never);
    pool.close();
    pool.give(connection, plain);
    expect([isOpen(connection), neighbour.take(to, plain)]).toEqual([false, null]);
    neighbour.close();
  });

  it('are not lent when they have ended, nor kept when they can take no further request', async () => {
    const [ended, full] = [await pool.open(to, plain, never), await pool.open(to, plain, never)];
    pool.give(ended, plain);
    played(ended).socket.destroy();
    played(full).room = 0;
    pool.give(full, plain);
    expect([isOpen(full), pool.take(to, plain)]).toEqual([false, null]);
  });

  it('are ended when nothing has been on them for too long', async () => {
    const [old, young] = [await pool.open(to, plain, never), await pool.open(to, plain, never)];
    pool.give(old, plain);
    clock.advance(limits.upstreamIdleTimeoutMs - 1);
    played(young).lastActive = clock.monotonic();
    pool.give(young, plain);
    pools.sweep(clock.monotonic());
    expect([old, young].map(isOpen)).toEqual([true, true]);
    clock.advance(1);
    pools.sweep(clock.monotonic());
    expect([old, young].map(isOpen)).toEqual([false, true]);
    expect([pool.take(to, plain), pool.take(to, plain)]).toEqual([young, null]);
  });

  it('are ended at once when nobody uses them and descriptors are scarce', async () => {
    const [idle, lent] = [await pool.open(to, plain, never), await pool.open(to, plain, never)];
    pool.give(idle, plain);
    pools.sweep(clock.monotonic());
    expect([idle, lent].map(isOpen)).toEqual([true, true]);
    pools.sweep(clock.monotonic(), 0);
    expect([idle, lent].map(isOpen)).toEqual([false, true]);
  });

  it('are kept up to a number for one place, the longest unused ended first', async () => {
    const count = limits.upstreamIdleConnectionsMax + 1;
    const all = await Promise.all(Array.from({ length: count }, () => pool.open(to, plain, never)));
    for (const connection of all) pool.give(connection, plain);
    expect(all.map(isOpen)).toEqual(all.map((_, index) => index > 0));
  });

  it('are kept while their place is forgotten, and not when they come back after', async () => {
    const lent = await pool.open(to, plain, never);
    for (let index = 0; index < limits.upstreamPlacesMax; index += 1) {
      const aborted = pool.open({ ...to, host: `n${index}.test` }, plain, AbortSignal.abort());
      await expect(aborted).rejects.toMatchObject({ name: 'Refusal' });
    }
    expect(isOpen(lent)).toBe(true);
    pool.give(lent, plain);
    expect([isOpen(lent), pool.take(to, plain)]).toEqual([false, null]);
  });
});

describe('a cell that has all the connections that it may have', () => {
  beforeEach(async () => {
    await listen(createServer(), 'http');
    open({ h1 });
  });

  it('waits for its own, ended or given back, and keeps nobody else waiting', async () => {
    const all = await Promise.all(
      Array.from({ length: limits.cellUpstreamsMax }, () => pool.open(to, plain, never)),
    );
    const neighbour = pools.join(workspace);
    const theirs = await neighbour.open(to, plain, never);
    neighbour.give(theirs, plain);
    expect(pool.take(to, plain)).toBe(null); // although one is there
    const waiting = [pool.open(to, plain, never), pool.open(to, plain, never), pool.open(to, plain, never)];
    const [returned, ended] = all;
    pool.give(played(returned ?? null), plain);
    expect([returned, theirs]).toContain(await waiting[0]);
    played(ended ?? null).socket.destroy();
    expect([returned, theirs]).toContain(await waiting[1]);
    played(all[2] ?? null).socket.destroy();
    expect([...all, theirs]).not.toContain(await waiting[2]);
    expect(pool.share.inUse).toBe(limits.cellUpstreamsMax);
    neighbour.close();
  });

  it('has room again when they have ended, or could not be made', async () => {
    const refused = await Promise.allSettled(
      Array.from({ length: 10 }, () => pool.open({ ...to, port: 1 }, plain, never)),
    );
    expect(refused.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 'rejected'));
    const [kept, lent, alone] = await Promise.all(
      [plain, plain, login].map((use) => pool.open(to, use, never)),
    );
    expect(pool.share.inUse).toBe(3);
    pool.give(played(kept ?? null), plain);
    pool.give(played(alone ?? null), login);
    played(lent ?? null).socket.destroy();
    await expect.poll(() => pool.share.inUse).toBe(1);
    pool.close();
    await expect.poll(() => pool.share.inUse).toBe(0);
  });
});

describe('requests that come together', () => {
  it('make some connections at a time, and take what comes back before they make more', async () => {
    await listen(createServer(), 'http');
    let answer = (): Promise<readonly string[]> => Promise.resolve(['127.0.0.1']);
    const config = { resolve: {}, extraCa: [], allowNetworks: ['127.0.0.0/8'] };
    pools = new UpstreamPools(new Dialer({ resolve: () => answer() }, config, () => []), clock, { h1 });
    workspace = workspaceId();
    pool = pools.join(workspace);
    const neighbour = pools.join(workspace);
    const lent = await pool.open(to, plain, never);
    const { promise, resolve } = Promise.withResolvers<readonly string[]>();
    answer = () => promise;
    const dialling = Array.from({ length: limits.upstreamDialsMax }, () => pool.open(to, plain, never));
    const late = neighbour.open(to, plain, never);
    await new Promise(setImmediate);
    pool.give(lent, plain);
    expect(await late).toBe(lent);
    neighbour.give(lent, plain); // nobody waits
    const again = neighbour.open(to, plain, never);
    expect(await again).toBe(lent);
    expect([pool.share.inUse, neighbour.share.inUse]).toEqual([limits.upstreamDialsMax, 1]);
    const last = pool.open(to, plain, never);
    resolve(['127.0.0.1']);
    const made = new Set(await Promise.all([...dialling, last]));
    expect(made.size).toBe(limits.upstreamDialsMax + 1);
    await expect.poll(() => accepted.length).toBe(limits.upstreamDialsMax + 2);
    neighbour.close();
  });
});

describe('logins that hold for a connection', () => {
  beforeEach(async () => {
    await listen(createServer(), 'http');
    open({ h1 });
  });

  it.each([
    ['NTLM TlRMTVNTUAAB', true],
    ['negotiate YIIJvwYG', true],
    ['Kerberos abc', true],
    ['Bearer NTLM', false],
    ['Basic bnRsbQ==', false],
    ['NTLMv9 abc', false],
  ])('Authorization: %s: %s', (value, is) => {
    const fields = new Fields();
    fields.add('Accept', 'NTLM x');
    expect(logsInConnection(fields)).toBe(false);
    fields.add('AUTHORIZATION', 'Bearer x');
    fields.add('Authorization', value);
    expect(logsInConnection(fields)).toBe(is);
  });

  it('get a new connection, which only the same client has again, whatever it sends', async () => {
    const neighbour = pools.join(workspace);
    pool.give(await pool.open(to, plain, never), plain);
    expect(pool.take(to, login)).toBe(null);
    const connection = await pool.open(to, login, never);
    expect(accepted).toHaveLength(2);
    pool.give(connection, login);
    expect(pool.take({ ...to, host: 'b.test' }, plain)).toBe(null);
    for (const use of [
      { client: OTHER, login: true },
      { client: OTHER, login: false },
    ])
      expect(pool.take(to, use)).not.toBe(connection);
    expect(neighbour.take(to, plain)).not.toBe(connection);
    expect(pool.take(to, plain)).toBe(connection);
    expect(pool.take(to, login)).toBe(null); // it is in use
    pool.give(connection, plain);
    expect(pool.take(to, login)).toBe(connection);
    neighbour.close();
  });

  it('end with the cell, in use or not, and after a while without use', async () => {
    const [idle, used, late] = [
      await pool.open(to, login, never),
      await pool.open(to, login, never),
      await pool.open(to, login, never),
    ];
    pool.give(late, login);
    clock.advance(limits.egressIdleTimeoutMs);
    played(idle).lastActive = clock.monotonic();
    pool.give(idle, login);
    pool.sweep(clock.monotonic());
    expect([idle, used, late].map(isOpen)).toEqual([true, true, false]);
    pool.close();
    expect([idle, used].map(isOpen)).toEqual([false, false]);
  });

  it('are kept up to a number', async () => {
    const all: UpstreamConnection[] = [];
    for (let index = 0; index <= limits.cellLoginConnectionsMax; index += 1)
      all.push(await pool.open(to, login, never));
    for (const connection of all) pool.give(connection, login);
    expect(all.map(isOpen)).toEqual(all.map((_, index) => index > 0));
  });
});

describe('connections for several requests at a time', () => {
  let made: Played[] = [];
  const h2: UpstreamCodecs['h2'] = (socket, time) => {
    const connection = new Played(socket, time);
    connection.room = 2;
    made.push(connection);
    return connection;
  };
  const upstream = (protocols: string[]): Promise<void> =>
    listen(createTlsServer({ ...authority.issue('api.test'), ALPNProtocols: protocols }), 'https');

  beforeEach(() => {
    made = [];
  });

  it('are used by all cells of a workspace at once, and several who come together wait for one', async () => {
    await upstream(['h2']);
    open({ h1, h2 });
    const neighbour = pools.join(workspace);
    const [a, b] = await Promise.all([pool.open(to, plain, never), neighbour.open(to, plain, never)]);
    expect([a === b, made.length, accepted.length]).toEqual([true, 1, 1]);
    expect([pool.take(to, plain), neighbour.take(to, plain)]).toEqual([a, a]);
    pool.give(a, plain);
    pool.close(); // others are on it
    expect(isOpen(a)).toBe(true);
    expect(neighbour.take(to, plain)).toBe(a);
    neighbour.close();
    expect(isOpen(a)).toBe(false);
  });

  it('get company when they are full', async () => {
    await upstream(['h2']);
    open({ h1, h2 });
    const first = played(await pool.open(to, plain, never));
    first.inUse = 2;
    expect(pool.take(to, plain)).toBe(null);
    const second = await pool.open(to, plain, never);
    expect([second === first, made.length]).toEqual([false, 2]);
    first.inUse = 0;
    played(second).inUse = 2;
    expect(pool.take(to, plain)).toBe(first);
  });

  it('are never used for another host', async () => {
    await upstream(['h2']);
    open({ h1, h2 });
    await pool.open(to, plain, never);
    expect(pool.take({ ...to, host: 'b.test' }, plain)).toBe(null);
  });

  it('end when nothing is on them for too long, or when they are of no more use', async () => {
    await upstream(['h2']);
    open({ h1, h2 });
    const busy = played(await pool.open(to, plain, never));
    busy.inUse = 2;
    const going = played(await pool.open(to, plain, never));
    going.room = 0;
    const idle = played(await pool.open(to, plain, never));
    pools.sweep(clock.monotonic());
    expect([busy, going, idle].map(isOpen)).toEqual([true, false, true]);
    clock.advance(limits.upstreamIdleTimeoutMs);
    pools.sweep(clock.monotonic());
    expect([busy, going, idle].map(isOpen)).toEqual([true, false, false]);
  });

  it('do not exist where the upstream speaks otherwise: everybody gets one of their own', async () => {
    await upstream(['http/1.1']);
    open({ h1, h2 });
    const opened = await Promise.all([1, 2, 3].map(() => pool.open(to, plain, never)));
    expect([new Set(opened).size, made.length, accepted.length]).toEqual([3, 0, 3]);
  });

  it('are not waited for when whoever made one has given up', async () => {
    await upstream(['h2']);
    open({ h1, h2 });
    const stop = new AbortController();
    const neighbour = pools.join(workspace);
    const first = pool.open(to, plain, stop.signal);
    const second = neighbour.open(to, plain, never);
    stop.abort();
    await expect(first).rejects.toMatchObject({ name: 'Refusal' });
    expect(await second).toBe(made[0]);
    neighbour.close();
  });

  it('fail for all who wait for one, and whoever gives up waiting does so alone', async () => {
    await upstream(['h2']);
    server.close();
    await once(server, 'close');
    open({ h1, h2 });
    const stop = new AbortController();
    const all = [pool.open(to, plain, never), pool.open(to, plain, never), pool.open(to, plain, stop.signal)];
    stop.abort(new Error('gone'));
    const settled = await Promise.allSettled(all);
    expect(settled.map((one) => one.status === 'rejected' && one.reason)).toMatchObject([
      { code: 'egress_upstream_unreachable' },
      { code: 'egress_upstream_unreachable' },
      { message: 'gone' },
    ]);
  });

  it('carry no logins that hold for a connection', async () => {
    await upstream(['h2', 'http/1.1']);
    open({ h1, h2 });
    await pool.open(to, plain, never);
    expect(pool.take(to, login)).toBe(null);
    const own = await pool.open(to, login, never);
    expect([made.length, made.includes(played(own))]).toEqual([1, false]);
  });
});
