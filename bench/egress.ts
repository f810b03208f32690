/**
 * Requests through the egress, with injection, scrubbing, and the audit log on disk, against nginx doing the part that
 * it can (TLS on both sides, `proxy_set_header Authorization`) and against no proxy at all. The upstream is another
 * nginx, the same for all three, and answers 200 only to the real key. The three take turns, round by round.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { EgressAddress, EgressSetup } from './support/egress-process.ts';
import { identityFor } from './support/identity.ts';
import { startNginx } from './support/nginx.ts';

const HOST = 'api.bench.test';
const KEY = 'ghp_9fR2kLmQ8sT4vW6xY0zA1bC3dE5gH7jK2mN4';
const PLACEHOLDER = 'ghp_PLACEHOLDERxJ7kQ2mV9pR4sT6wY8zB1cD3f';
const ROUNDS = 5;
const ROUND_MS = 2_000;
const WARM_UP_MS = 1_500;

interface Measured {
  readonly perSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

interface Target {
  readonly name: string;
  readonly job: { host: string; port: number; servername: string; ca: string; request: string };
  /** By number of connections. */
  readonly seen: Map<number, Measured[]>;
}

const support = (file: string): string => fileURLToPath(new URL(`support/${file}`, import.meta.url));

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function ask<Answer>(child: ChildProcess, question: object): Promise<Answer> {
  child.send(question);
  const [answer] = (await once(child, 'message')) as [Answer];
  return answer;
}

const requestWith = (token: string): string =>
  `GET /v1/items?page=2 HTTP/1.1\r\nHost: ${HOST}\r\nUser-Agent: bench\r\nAccept: application/json\r\nAccept-Encoding: gzip, br\r\nAuthorization: Bearer ${token}\r\n\r\n`;

/** 1 KB of JSON without a quote or a dollar that nginx would want to read. */
const body =
  `{"items":[${Array.from({ length: 13 }, (_, index) => `{"id":${1_000 + index * 7_919},"name":"item-${index}","url":"https://${HOST}/v1/items/${index}"}`).join(',')}]}`.padEnd(
    1_024,
    ' ',
  );

const { ca, identity } = identityFor(HOST);
const [upstreamPort, proxyPort] = [await freePort(), await freePort()];
const upstream = await startNginx(
  upstreamPort,
  identity,
  ca,
  '',
  `default_type application/json; location / { if ($http_authorization != "Bearer ${KEY}") { return 401; } return 200 '${body}'; }`,
);
const proxy = await startNginx(
  proxyPort,
  identity,
  ca,
  `upstream api { server 127.0.0.1:${upstreamPort}; keepalive 64; keepalive_requests 100000000; }`,
  `location / {
     proxy_pass https://api; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host ${HOST};
     proxy_set_header Authorization "Bearer ${KEY}"; proxy_ssl_name ${HOST}; proxy_ssl_server_name on;
     proxy_ssl_verify on; proxy_ssl_trusted_certificate {ca}; proxy_ssl_protocols TLSv1.2 TLSv1.3;
   }`,
);
const egress = fork(support('egress-process.ts'), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
const setup: EgressSetup = {
  host: HOST,
  upstream: `127.0.0.1:${upstreamPort}`,
  ca,
  key: KEY,
  placeholder: PLACEHOLDER,
};
const address = await ask<EgressAddress>(egress, setup);
const load = fork(support('load.mjs'), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });

const target = (name: string, host: string, port: number, trusted: string, token: string): Target => ({
  name,
  job: { host, port, servername: HOST, ca: trusted, request: requestWith(token) },
  seen: new Map(),
});
const targets = [
  target('direct', '127.0.0.1', upstreamPort, ca, KEY),
  target('nginx, one worker', '127.0.0.1', proxyPort, ca, PLACEHOLDER),
  target('sallyport egress', address.address, address.port, address.ca, PLACEHOLDER),
];

async function measure({ job }: Target, connections: number, ms: number): Promise<Measured> {
  const answer = await ask<{ result?: Measured; error?: string }>(load, { ...job, connections, ms });
  if (answer.result === undefined) throw new Error(answer.error ?? 'no result');
  return answer.result;
}

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};
const line = (cells: readonly string[]): string =>
  cells.map((cell, index) => (index === 0 ? cell.padEnd(20) : cell.padStart(13))).join('');

try {
  for (const each of targets) await measure(each, 32, WARM_UP_MS);
  for (const connections of [32, 1]) {
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const each of targets) {
        const seen = each.seen.get(connections) ?? [];
        seen.push(await measure(each, connections, ROUND_MS));
        each.seen.set(connections, seen);
      }
    }
    const rows = targets.map(({ name, seen }) => {
      const rounds = seen.get(connections) ?? [];
      const of = (pick: (measured: Measured) => number): number => median(rounds.map(pick));
      return { name, perSecond: of((m) => m.perSecond), p50: of((m) => m.p50), p99: of((m) => m.p99) };
    });
    const nginx = rows[1]?.perSecond ?? Number.NaN;
    const direct = rows[0];
    print(
      `${connections} keep-alive connection${connections === 1 ? '' : 's'}, 1 KB of JSON, median of ${ROUNDS} rounds`,
    );
    print(line(['', 'requests/s', 'p50 ms', 'p99 ms', 'added p50', 'of nginx']));
    for (const { name, perSecond, p50, p99 } of rows) {
      const added = p50 - (direct?.p50 ?? Number.NaN);
      print(
        line([
          name,
          perSecond.toFixed(0),
          p50.toFixed(3),
          p99.toFixed(3),
          added.toFixed(3),
          (perSecond / nginx).toFixed(2),
        ]),
      );
    }
    print('');
  }
  print(`audit events recorded on disk: ${await ask<number>(egress, {})}`);
} finally {
  load.disconnect();
  const ended = once(egress, 'exit');
  egress.disconnect();
  await ended;
  await proxy.close();
  await upstream.close();
}
