/** nginx as it is compared with: one worker, no access log, TLS with the same kind of key. Debian package `nginx-light` or `nginx`. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Identity } from './identity.ts';
import { childrenOf, listening } from './processes.ts';

export interface Nginx {
  /** Of the worker, which does the work. */
  readonly pid: number;
  close(): Promise<void>;
}

export interface NginxSetup {
  /** PEM, for upstreams; `{ca}` in directives is its file. */
  readonly ca: string;
  /** Directives beside the servers: `upstream` blocks. */
  readonly http: string;
  readonly servers: readonly {
    readonly port: number;
    readonly identity: Identity;
    /** Offers HTTP/2 besides HTTP/1.1. */
    readonly http2: boolean;
    /** `{www}` is the folder of the files. */
    readonly directives: string;
  }[];
  /** Files to be served, by name. */
  readonly files: Readonly<Record<string, string>>;
}

export async function startNginx(setup: NginxSetup): Promise<Nginx> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-nginx-'));
  const file = (name: string, text: string, mode: number): string => {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text, { mode });
    return join(folder, name);
  };
  mkdirSync(join(folder, 'tmp'));
  for (const [name, text] of Object.entries(setup.files)) file(join('www', name), text, 0o644);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${folder}/tmp;`)
    .join(' ');
  const { servers } = setup;
  const ca = file('ca.pem', setup.ca, 0o600);
  const blocks = servers.map(
    ({ port, identity, http2, directives }) =>
      `server {
         listen 127.0.0.1:${port} ssl${http2 ? ' http2' : ''} backlog=4096;
         ssl_certificate ${file(`${port}.pem`, identity.cert, 0o600)};
         ssl_certificate_key ${file(`${port}.key`, identity.key, 0o600)};
         ${directives}
       }`,
  );
  const text = `worker_processes 1; daemon off; pid ${folder}/pid; error_log stderr crit;
     ${process.getuid?.() === 0 ? 'user root;' : ''}
     events { worker_connections 4096; }
     http {
       access_log off; ${temporary} keepalive_requests 100000000; tcp_nodelay on;
       ssl_protocols TLSv1.2 TLSv1.3; open_file_cache max=16;
       ${setup.http}
       ${blocks.join('\n')}
     }`;
  const config = file(
    'nginx.conf',
    text.replaceAll('{ca}', ca).replaceAll('{www}', join(folder, 'www')),
    0o600,
  );
  const child = spawn('nginx', ['-p', folder, '-c', config], { stdio: ['ignore', 'inherit', 'inherit'] });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.once('error', () => {
    process.stderr.write('nginx is not installed: apt-get install nginx-light\n');
    process.exit(1);
  });
  for (const { port } of servers) await listening(child, port, 'nginx');
  const [worker] = childrenOf(child.pid ?? 0);
  if (worker === undefined) throw new Error('nginx has no worker');
  return {
    pid: worker,
    async close() {
      child.kill('SIGTERM');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
