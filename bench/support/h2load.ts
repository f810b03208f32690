/** Load over HTTP/2 with nghttp2's `h2load`. Debian package `nghttp2-client`. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import type { Measured, Place } from './measured.ts';

/** It waits for what is under way when its time is over; with some proxies for ever. */
const LEAVE_MS = 10_000;

export interface Http2Job {
  readonly place: Place;
  readonly servername: string;
  readonly path: string;
  /** Name and value. */
  readonly fields: Readonly<Record<string, string>>;
  readonly connections: number;
  /** At a time, on each connection. */
  readonly streams: number;
  readonly ms: number;
}

export const hasH2load = (): boolean => spawnSync('h2load', ['--version'], { stdio: 'ignore' }).status === 0;

/** Whether HTTP/2 is agreed on there. */
export async function speaksHttp2(place: Place, servername: string, ca: string): Promise<boolean> {
  const socket = connect({ ...place, servername, ca, ALPNProtocols: ['h2'] });
  try {
    await once(socket, 'secureConnect');
    return socket.alpnProtocol === 'h2';
  } catch {
    return false; // no protocol in common is an alert
  } finally {
    socket.destroy();
  }
}

/** @throws when requests were answered with anything but 2xx */
export async function runH2load(job: Http2Job): Promise<Measured> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-h2load-'));
  const log = join(folder, 'log');
  const { connections, fields, ms, path, place, servername, streams } = job;
  try {
    const settings: Readonly<Record<string, string>> = {
      clients: String(connections),
      'max-concurrent-streams': String(streams),
      threads: '1',
      duration: `${ms}ms`,
      'connect-to': `${place.host}:${place.port}`,
      'npn-list': 'h2',
      'log-file': log,
    };
    const child = spawn(
      'h2load',
      [
        ...Object.entries(settings).map(([name, value]) => `--${name}=${value}`),
        ...Object.entries(fields).map(([name, value]) => `--header=${name}: ${value}`),
        `https://${servername}${path}`,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'], timeout: ms + LEAVE_MS, killSignal: 'SIGKILL' },
    );
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (piece: string) => {
      output += piece;
    });
    await once(child, 'close');
    if (child.killed)
      throw new Error(`h2load did not end: answers did not come within ${LEAVE_MS / 1_000} s`);
    return { ...readOutput(output), ...readLog(readFileSync(log, 'latin1')) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const UNITS: Readonly<Record<string, number>> = { us: 1e-6, ms: 1e-3, s: 1, m: 60 };

function readOutput(text: string): Pick<Measured, 'requests' | 'bytes' | 'seconds' | 'failures'> {
  const finished = /^finished in ([\d.]+)(us|ms|s|m),/m.exec(text);
  const codes = /^status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx/m.exec(text);
  const bytes = /\((\d+)\) data$/m.exec(text);
  if (finished === null || codes === null || bytes === null)
    throw new Error(`h2load said ${text.slice(0, 400)}`);
  const count = (index: number): number => Number(codes[index] ?? 0);
  if (codes.slice(1).every((each) => each === '0')) throw new Error('not one answer in a round');
  if (count(1) === 0) throw new Error(`h2load: no answer was 2xx: ${codes[0]}`);
  return {
    requests: count(1),
    bytes: Number(bytes[1]),
    seconds: Number(finished[1]) * (UNITS[finished[2] ?? 's'] ?? 1),
    failures: count(2) + count(3) + count(4),
  };
}

/** Lines of start, status and microseconds. */
function readLog(text: string): Pick<Measured, 'p50' | 'p99'> {
  const times = new Float64Array(
    text
      .split('\n')
      .filter(Boolean)
      .map((line) => Number(line.slice(line.lastIndexOf('\t') + 1))),
  ).sort();
  const quantile = (q: number): number => (times[Math.floor(times.length * q)] ?? 0) / 1_000;
  return { p50: quantile(0.5), p99: quantile(0.99) };
}
