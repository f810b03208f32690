/**
 * Everything that is compared, doing the same job over the same upstream: TLS on both sides, the real key put in the
 * place of what the client sent. The upstream is an nginx that answers 200 only to the real key.
 */
import type { EgressListener, EgressSetup } from './egress-process.ts';
import { speaksHttp2 } from './h2load.ts';
import { type Identity, identitiesFor } from './identity.ts';
import type { Place } from './measured.ts';
import { startMitmproxy } from './mitmproxy.ts';
import { startNginx } from './nginx.ts';
import { freePort, Helper } from './processes.ts';

/** The upstream that speaks HTTP/1.1 only. */
export const HTTP1_HOST = 'api.bench.test';
/** The upstream that speaks HTTP/2 as well. */
export const HTTP2_HOST = 'h2.bench.test';
export const SMALL_PATH = '/v1/items?page=2';
export const LARGE_PATH = '/v1/large.json';
const LARGE_BYTES = 2 ** 20;
const SMALL_BYTES = 1_024;
/** Cells that new connections are spread over: what one cell may ask for per second is limited. */
const FRESH_CELLS = 8;
const KEY = 'ghp_9fR2kLmQ8sT4vW6xY0zA1bC3dE5gH7jK2mN4';

/** Where a target takes requests, and what a client has to know. */
export interface Door {
  readonly place: Place;
  readonly host: string;
  readonly ca: string;
  /** What goes into the header. */
  readonly token: string;
  /** The process that does the work; null where there is nothing between client and upstream. */
  readonly pid: number | null;
}

export interface Target {
  readonly name: string;
  /** Why it has no numbers; null when it has. */
  readonly missing: string | null;
  /** More than one where a single client may not have all that the machine can do: new connections take turns. */
  readonly http1: readonly Door[];
  /** Null where HTTP/2 is not spoken. */
  readonly http2: Door | null;
}

export interface Bench {
  readonly targets: readonly Target[];
  readonly upstreamPid: number;
  readonly egress: Helper;
  close(): Promise<void>;
}

export interface BenchOptions {
  /** `nginx`, `relay`, `mitmproxy`. */
  readonly rivals: readonly string[];
  /** Of the runtime that runs the egress. */
  readonly egressArguments: readonly string[];
}

/** @param last no further request comes on that connection */
export const requestOf = (path: string, host: string, token: string, last: boolean): string =>
  `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: bench\r\nAccept: application/json\r\nAccept-Encoding: gzip, br\r\n${last ? 'Connection: close\r\n' : ''}Authorization: Bearer ${token}\r\n\r\n`;

/** JSON without a quote or a dollar that nginx would want to read. */
const json = (bytes: number): string => {
  const items = Array.from(
    { length: Math.floor(bytes / 90) },
    (_, index) =>
      `{"id":${1_000 + index * 7_919},"name":"item-${index}","url":"https://${HTTP1_HOST}/v1/items/${index}"}`,
  );
  while (items.join(',').length + 12 > bytes) items.pop();
  return `{"items":[${items.join(',')}]}`.padEnd(bytes, ' ');
};

export async function openBench(options: BenchOptions): Promise<Bench> {
  const closing: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const end of closing.splice(0).toReversed()) await end();
  };
  try {
    return await open(options, closing, close);
  } catch (error) {
    await close();
    throw error;
  }
}

async function open(
  { egressArguments, rivals }: BenchOptions,
  closing: (() => Promise<void>)[],
  close: () => Promise<void>,
): Promise<Bench> {
  const { ca, identities } = identitiesFor([HTTP1_HOST, HTTP2_HOST]);
  const [port1, port2] = [await freePort(), await freePort()];
  const serve = `default_type application/json; root {www};
    location / { if ($http_authorization != "Bearer ${KEY}") { return 401; } }
    location = /v1/items { if ($http_authorization != "Bearer ${KEY}") { return 401; } return 200 '${json(SMALL_BYTES)}'; }`;
  const [identity, identity2] = identities;
  const upstream = await startNginx({
    ca,
    http: '',
    servers: [
      { port: port1, identity, http2: false, directives: serve },
      { port: port2, identity: identity2, http2: true, directives: serve },
    ],
    files: { [LARGE_PATH.slice(1)]: json(LARGE_BYTES) },
  });
  closing.push(() => upstream.close());
  const direct = (host: string, port: number): Door => ({
    place: { host: '127.0.0.1', port },
    host,
    ca,
    token: KEY,
    pid: null,
  });
  const targets: Target[] = [
    {
      name: 'direct',
      missing: null,
      http1: [direct(HTTP1_HOST, port1)],
      http2: direct(HTTP2_HOST, port2),
    },
  ];
  const rival: Rival = { host: HTTP1_HOST, upstreamPort: port1, identity, ca };
  if (rivals.includes('nginx')) targets.push(await nginxTarget(rival, closing));
  if (rivals.includes('relay')) targets.push(await relayTarget(rival, closing));
  if (rivals.includes('mitmproxy')) {
    /* It speaks with the upstream what the client speaks with it. */
    const rival2 = { ...rival, host: HTTP2_HOST, upstreamPort: port2, identity: identity2 };
    targets.push(await mitmproxyTarget(rival2, closing));
  }

  const egress = new Helper('egress-process.ts', egressArguments);
  closing.push(() => egress.close());
  const upstreams = {
    [`${HTTP1_HOST}:443`]: `127.0.0.1:${port1}`,
    [`${HTTP2_HOST}:443`]: `127.0.0.1:${port2}`,
  };
  const cells = [HTTP2_HOST, ...Array.from({ length: FRESH_CELLS }, () => HTTP1_HOST)];
  const setup: EgressSetup = { cells, upstreams, ca, key: KEY };
  const listeners = await egress.ask<EgressListener[]>(setup);
  const doors = listeners.map(({ address, port, placeholder, ca: trusted }, index) => ({
    place: { host: address, port },
    host: cells[index] ?? '',
    ca: trusted,
    token: placeholder,
    pid: egress.pid,
  }));
  const [http2, ...http1] = doors;
  targets.push({
    name: 'sallyport egress',
    missing: null,
    http1,
    http2: http2 !== undefined && (await speaksHttp2(http2.place, http2.host, http2.ca)) ? http2 : null,
  });
  return { targets, upstreamPid: upstream.pid, egress, close };
}

interface Rival {
  readonly host: string;
  readonly upstreamPort: number;
  readonly identity: Identity;
  readonly ca: string;
}

const PLACEHOLDER = 'ghp_PLACEHOLDERxJ7kQ2mV9pR4sT6wY8zB1cD3f';

const rivalDoor = ({ host, ca }: Rival, port: number, pid: number): Door => ({
  place: { host: '127.0.0.1', port },
  host,
  ca,
  token: PLACEHOLDER,
  pid,
});

async function nginxTarget(rival: Rival, closing: (() => Promise<void>)[]): Promise<Target> {
  const port = await freePort();
  const nginx = await startNginx({
    ca: rival.ca,
    http: `upstream api { server 127.0.0.1:${rival.upstreamPort}; keepalive 512; keepalive_requests 100000000; }`,
    servers: [
      {
        port,
        identity: rival.identity,
        http2: true,
        directives: `location / {
          proxy_pass https://api; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host ${HTTP1_HOST};
          proxy_set_header Authorization "Bearer ${KEY}"; proxy_ssl_name ${HTTP1_HOST}; proxy_ssl_server_name on;
          proxy_ssl_verify on; proxy_ssl_trusted_certificate {ca}; proxy_ssl_protocols TLSv1.2 TLSv1.3;
          proxy_buffers 16 64k; proxy_buffer_size 16k; proxy_max_temp_file_size 0;
        }`,
      },
    ],
    files: {},
  });
  closing.push(() => nginx.close());
  const door = rivalDoor(rival, port, nginx.pid);
  return { name: 'nginx, one worker', missing: null, http1: [door], http2: door };
}

async function relayTarget(rival: Rival, closing: (() => Promise<void>)[]): Promise<Target> {
  const relay = new Helper('relay.mjs');
  closing.push(() => relay.close());
  const { port } = await relay.ask<{ port: number }>({ ...rival, key: KEY, placeholder: PLACEHOLDER });
  return {
    name: 'bare Node relay',
    missing: null,
    http1: [rivalDoor(rival, port, relay.pid)],
    http2: null,
  };
}

async function mitmproxyTarget(rival: Rival, closing: (() => Promise<void>)[]): Promise<Target> {
  const name = 'mitmproxy';
  const mitmproxy = await startMitmproxy({ ...rival, key: KEY });
  if (mitmproxy === null)
    return { name, missing: 'not installed: apt-get install mitmproxy', http1: [], http2: null };
  closing.push(() => mitmproxy.close());
  const door = rivalDoor(rival, mitmproxy.port, mitmproxy.pid);
  return { name, missing: null, http1: [door], http2: door };
}
