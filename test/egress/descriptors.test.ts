/** What happens when a process has no descriptors left: it says so, goes on, and serves again when there are some. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Descriptors, type DescriptorSystem, systemDescriptors } from '../../src/egress/descriptors.ts';
import { fixedClock, limits, type LogFields, silentLog } from '../../src/kernel/index.ts';
import type { ProcessState } from './descriptors-process.ts';
import { API, httpUpstream, type Upstream } from './world.ts';

const COUNT = 300;
/** What is used is looked at every second. */
const PATIENT = { timeout: 10_000 };
const REQUEST = `GET / HTTP/1.1\r\nHost: ${API}\r\n\r\n`;

class Limited {
  readonly #child: ChildProcess;
  readonly #upstream: Upstream;
  readonly #place: { readonly host: string; readonly port: number };

  private constructor(child: ChildProcess, upstream: Upstream, place: { host: string; port: number }) {
    this.#child = child;
    this.#upstream = upstream;
    this.#place = place;
  }

  static async start(descriptors: number): Promise<Limited> {
    const upstream = await httpUpstream((_request, response) => response.end('served'));
    const script = fileURLToPath(new URL('descriptors-process.ts', import.meta.url));
    const child = spawn('prlimit', [`--nofile=${descriptors}`, process.execPath, script, upstream.address], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    const [place] = (await once(child, 'message')) as [{ host: string; port: number }];
    return new Limited(child, upstream, place);
  }

  async ask<Answer>(question: string): Promise<Answer> {
    const answered = once(this.#child, 'message');
    this.#child.send(question);
    return ((await answered) as [Answer])[0];
  }

  state(): Promise<ProcessState> {
    return this.ask<ProcessState>('state');
  }

  /** A connection that the kernel has accepted; it may be cut at any time. */
  async connect(): Promise<Socket> {
    const socket = connect(this.#place);
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    return socket;
  }

  /** It ends by itself: nothing of all that has brought it down. */
  async end(): Promise<unknown> {
    const exited = once(this.#child, 'exit');
    this.#child.disconnect();
    const [code] = await exited;
    await this.#upstream.close();
    return code;
  }
}

/** The answer to a request, as far as it comes in one piece; empty when the connection was cut. */
async function ask(socket: Socket): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  socket.once('data', (piece: Buffer) => resolve(piece.toString('latin1')));
  socket.once('close', () => resolve(''));
  if (socket.destroyed) return '';
  socket.write(REQUEST);
  return promise;
}

async function flood(limited: Limited): Promise<readonly Socket[]> {
  const sockets: Socket[] = [];
  for (let index = 0; index < COUNT; index += 1) sockets.push(await limited.connect());
  return sockets;
}

describe('a gateway that may have few descriptors', () => {
  it('has enough: takes every connection, and says nothing (the control)', async () => {
    const limited = await Limited.start(2_000);
    const sockets = await flood(limited);
    const answers = await Promise.all(sockets.map(ask));
    expect(new Set(answers.map((answer) => answer.slice(0, 12)))).toEqual(new Set(['HTTP/1.1 200']));
    expect(await limited.state()).toMatchObject({ logged: [], refused: [] });
    for (const socket of sockets) socket.destroy();
    expect(await limited.end()).toBe(0);
  });

  it('refuses connections before there are none left, and serves again when others have ended', async () => {
    const limited = await Limited.start(200);
    const sockets = await flood(limited);
    const cut = sockets.map((socket) => once(socket.resume(), 'close').then(() => socket));
    await Promise.race(cut);
    await expect.poll(() => sockets.filter(({ destroyed }) => destroyed).length).toBeGreaterThan(COUNT / 3);
    const open = sockets.filter(({ destroyed }) => !destroyed);
    expect(open.length).toBeGreaterThan(limits.cellDescriptorsMin);
    const first = await limited.state();
    for (const socket of open.slice(0, 1))
      expect(await ask(socket)).toMatch(/^HTTP\/1\.1 503 [^]*"egress_descriptors_limit"[^]*LimitNOFILE/);
    const { logged, refused } = await limited.state();
    expect(first.refused).toContain('egress_descriptors_limit');
    expect(first.descriptors).toBeLessThan(190); // enough are left for everything else
    expect(new Set(refused)).toEqual(new Set(['egress_descriptors_limit']));
    expect(logged).toMatchObject([
      {
        event: 'egress.descriptors_exhausted',
        fields: { max: 200, hint: expect.stringContaining('ulimit -n') },
      },
    ]);
    for (const socket of open) socket.destroy();
    await expect.poll(async () => ask(await limited.connect()), PATIENT).toContain('served');
    expect(await limited.end()).toBe(0);
  });

  it('goes on when something else has taken all of them, and serves again when they are there', async () => {
    const limited = await Limited.start(200);
    const before = await limited.connect();
    await expect.poll(async () => (await limited.state()).connections).toBe(1);
    const { taken, error } = await limited.ask<{ taken: number; error: string }>('take');
    expect([taken > 100, error]).toEqual([true, expect.stringContaining('EMFILE')]);
    const late = await limited.connect();
    await once(late.resume(), 'close'); // and not left waiting
    expect(await ask(before)).toMatch(/^HTTP\/1\.1 503 [^]*"egress_descriptors_limit"/);
    const { logged } = await limited.state();
    expect(logged.map(({ event }) => event)).toEqual(['egress.descriptors_exhausted']);
    await limited.ask('free');
    await expect.poll(async () => ask(await limited.connect()), PATIENT).toContain('served');
    expect(await limited.end()).toBe(0);
  });
});

describe('the count of descriptors', () => {
  const MAX = 1_000;
  const BUDGET = MAX * (1 - limits.descriptorsSparedShare);

  function counting(open: number): { system: { open: number }; descriptors: Descriptors; told: LogFields[] } {
    const system = { open };
    const told: LogFields[] = [];
    const source: DescriptorSystem = { max: MAX, open: () => system.open };
    const log = { ...silentLog, error: (_event: string, fields: LogFields = {}) => void told.push(fields) };
    return { system, descriptors: new Descriptors(source, fixedClock(0), log), told };
  }

  it('is what the system says', () => {
    const system = systemDescriptors();
    const open = system.open();
    expect([system.max > open, Number.isInteger(open), open > 3]).toEqual([true, true, true]);
  });

  it('lets every cell have as many as it likes while there are many', () => {
    const { descriptors } = counting(BUDGET * limits.descriptorsFreeShare - 1);
    for (let index = 0; index < 10; index += 1) descriptors.join();
    expect([descriptors.mayAdd(10_000), descriptors.isScarce]).toEqual([true, false]);
  });

  it('lets cells have their even part when they become scarce, and nobody any when they are used up', () => {
    const { descriptors, system } = counting(BUDGET * limits.descriptorsFreeShare);
    const leave = Array.from({ length: 9 }, () => descriptors.join());
    const even = BUDGET / 9;
    expect([descriptors.mayAdd(even - 1), descriptors.mayAdd(even)]).toEqual([true, false]);
    for (let index = 0; index < 1_000; index += 1) leave.push(descriptors.join());
    expect(descriptors.mayAdd(limits.cellDescriptorsMin - 1)).toBe(true);
    expect(descriptors.mayAdd(limits.cellDescriptorsMin)).toBe(false);
    for (const each of leave.slice(1)) each();
    expect(descriptors.mayAdd(BUDGET - 1)).toBe(true);
    system.open = BUDGET;
    descriptors.sweep();
    expect([descriptors.isUsedUp, descriptors.mayAdd(0)]).toEqual([true, false]);
  });
});
