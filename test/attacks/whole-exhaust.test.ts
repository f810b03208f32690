/**
 * ATTACKS 7 with everything real: a cell that asks too much of the gateway itself, from Node and from Python. It is held to its
 * share, the audit log says so, and the cell next door is answered all the while.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { limits } from '../../src/kernel/index.ts';
import { hasPython, python } from './cell-harness.ts';
import { API, attackerManifest, type CellRequire, KEY, modes, openWorld, type World } from './whole-world.ts';

const MIB = 1024 * 1024;
const GROWTH_BYTES_MAX = 512 * MIB;
/** Of the gateway, for other things than the connections of the cell: requests of the neighbour, upstreams of both. */
const DESCRIPTORS_OF_OTHERS_MAX = 100;

const languages = [
  { language: 'Node', available: true, program: ['node', '/srv/flood.mjs'] },
  { language: 'Python', available: hasPython, program: [python, '-B', '/srv/flood.py'] },
] as const;

/** One request. @returns the status of its answer; 0 when there was none. Runs in the cell. */
function ask(_: null, require: CellRequire): Promise<number> {
  const https = require('node:https');
  return new Promise((done) => {
    https
      .get('https://api.test.example/', { agent: false }, (answer) => {
        answer.resume();
        answer.on('end', () => done(answer.statusCode ?? 0));
      })
      .on('error', () => done(0));
  });
}

/** Writes for as long as somebody takes it. */
function pour(socket: Socket): void {
  const piece = Buffer.alloc(64 * 1024, 'x');
  const chunk = Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')]);
  const go = (): void => {
    while (!socket.destroyed && socket.write(chunk));
  };
  socket.on('drain', go);
  socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
  go();
}

describe.each(modes)('a cell that asks too much of the gateway, gateway as %s', (mode) => {
  let world: World;
  beforeAll(async () => {
    world = await openWorld({ mode });
    world.answer = ({ head }, socket) => {
      if (head.startsWith('GET /endless ')) pour(socket);
      else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    };
    await world.addServer(attackerManifest(world.folder, 'neighbour'));
    expect(await world.inCell(ask, null, 'neighbour'), 'the control').toBe(200);
  });
  afterAll(() => world.close());

  /** Resident memory of the gateway, in bytes. */
  const resident = (): number =>
    Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${world.gateway.pid}/status`, 'utf8'))?.[1]) * 1024;

  const descriptors = (): number => readdirSync(`/proc/${world.gateway.pid}/fd`).length;

  /** Runs a flood while the neighbour asks, and asks again. */
  async function flood<T>(program: readonly string[], what: string): Promise<T> {
    const [had, open] = [resident(), descriptors()];
    let isOver = false;
    const flooding = world
      .probe<T>([...program, what, API, `${limits.cellConnectionsMax}`])
      .finally(() => (isOver = true));
    do {
      expect(await world.inCell(ask, null, 'neighbour')).toBe(200);
      expect(descriptors() - open).toBeLessThan(limits.cellConnectionsMax + DESCRIPTORS_OF_OTHERS_MAX);
      // Every request is an event, and what this test looks for must not be buried by them.
      await new Promise((done) => setTimeout(done, 100));
    } while (!isOver);
    expect(resident() - had).toBeLessThan(GROWTH_BYTES_MAX);
    return flooding;
  }
  const refused = (code: string) =>
    world.event(({ type, data }) => type === 'egress.refused' && data['code'] === code);

  describe.each(languages)('from $language', ({ available, program }) => {
    const may = it.skipIf(!available);

    may('by 10,000 connections', async () => {
      const { made, left } = await flood<{ made: number; left: number }>(program, 'connections');
      expect(made).toBe(10_000);
      // Some may only look open to whoever made them: the kernel has not handed them on.
      expect(left).toBeGreaterThan(100);
      await refused('egress_connections_limit');
    });

    may('by a header of 200 MB', async () => {
      const { sent, cut } = await flood<{ sent: number; cut: boolean }>(program, 'header');
      expect(cut).toBe(true);
      expect(sent).toBeLessThan(32 * MIB);
      await world.event(({ type, data }) => type === 'egress.refused' && data['reason'] === 'head_too_large');
    });

    may('by headers that come byte by byte', async () => {
      expect(await flood(program, 'slow')).toEqual({ open: 200, status: 200 });
    });

    may('by answers without end that it does not read', async () => {
      expect(await flood(program, 'unread')).toEqual({ open: 64 });
    });

    may('by lines on stderr without end', async () => {
      const { sent } = await flood<{ sent: number }>(program, 'stderr');
      expect(sent).toBeGreaterThanOrEqual(8_000_000);
      const folder = join(world.home, 'logs');
      const kept = readdirSync(folder).map(
        // One may just be renamed: the gateway is still writing.
        (name) => statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0,
      );
      expect(kept.reduce((sum, size) => sum + size, 0)).toBeLessThan(2 * MIB);
      await expect
        .poll(async () => (await world.run('server', 'logs', 'attacker')).stdout, { timeout: 10_000 })
        .toMatch(/bytes left out here/);
      const { stdout } = await world.run('server', 'logs', 'attacker');
      expect(stdout).not.toContain('\u001b');
      expect(world.log()).not.toContain('vault.opened');
    });
  });

  it('is in an audit log that verifies and shows no key', async () => {
    expect(await world.exported()).not.toContain(KEY);
    expect(await world.inCell(ask, null)).toBe(200);
  });
});
