/** nginx as it is compared with: one worker, no access log, TLS with the same kind of key. Debian package `nginx-light` or `nginx`. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Identity } from './identity.ts';

export interface Nginx {
  close(): Promise<void>;
}

const READY_ATTEMPTS = 200;

/** @param server directives of the one `server` block, and `upstream` blocks before it */
export async function startNginx(
  port: number,
  identity: Identity,
  ca: string,
  http: string,
  server: string,
): Promise<Nginx> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-nginx-'));
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  mkdirSync(join(folder, 'tmp'));
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${folder}/tmp;`)
    .join(' ');
  const config = file(
    'nginx.conf',
    `worker_processes 1; daemon off; pid ${folder}/pid; error_log stderr crit;
     ${process.getuid?.() === 0 ? 'user root;' : ''}
     events { worker_connections 1024; }
     http {
       access_log off; ${temporary} keepalive_requests 100000000; tcp_nodelay on;
       ssl_protocols TLSv1.2 TLSv1.3;
       ${http.replaceAll('{ca}', file('ca.pem', ca))}
       server {
         listen 127.0.0.1:${port} ssl;
         ssl_certificate ${file('cert.pem', identity.cert)}; ssl_certificate_key ${file('key.pem', identity.key)};
         ${server.replaceAll('{ca}', join(folder, 'ca.pem'))}
       }
     }`,
  );
  const child = spawn('nginx', ['-p', folder, '-c', config], { stdio: ['ignore', 'inherit', 'inherit'] });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.once('error', () => {
    process.stderr.write('nginx is not installed: apt-get install nginx-light\n');
    process.exit(1);
  });
  await listening(child, port);
  return {
    async close() {
      child.kill('SIGTERM');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function listening(child: ChildProcess, port: number): Promise<void> {
  for (let attempt = 0; attempt < READY_ATTEMPTS; attempt += 1) {
    if (child.exitCode !== null) throw new Error('nginx ended before it was ready');
    const isUp = await new Promise<boolean>((resolve) => {
      const probe = connect(port, '127.0.0.1', () => {
        probe.destroy();
        resolve(true);
      });
      probe.once('error', () => resolve(false));
    });
    if (isUp) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error('nginx does not listen');
}
