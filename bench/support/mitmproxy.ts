/** mitmproxy as it is compared with: a reverse proxy that sets the header. Debian package `mitmproxy`. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Identity } from './identity.ts';
import { freePort, listening } from './processes.ts';

export interface Mitmproxy {
  readonly pid: number;
  readonly port: number;
  close(): Promise<void>;
}

export interface MitmproxySetup {
  readonly host: string;
  /** On loopback. */
  readonly upstreamPort: number;
  readonly identity: Identity;
  readonly ca: string;
  readonly key: string;
}

/** What it does to each request. The upstream's name stays for TLS; where it is dialled is changed. */
const scriptFor = ({ host, key, upstreamPort }: MitmproxySetup): string => `
def requestheaders(flow):
    flow.request.headers["Authorization"] = "Bearer ${key}"

def server_connect(data):
    data.server.sni = "${host}"
    data.server.address = ("127.0.0.1", ${upstreamPort})
`;

/** Null when it is not installed. */
export async function startMitmproxy(setup: MitmproxySetup): Promise<Mitmproxy | null> {
  if (spawnSync('mitmdump', ['--version'], { stdio: 'ignore' }).status !== 0) return null;
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-mitmproxy-'));
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const port = await freePort();
  const { host, identity } = setup;
  const settings = {
    confdir: folder,
    flow_detail: '0',
    listen_host: '127.0.0.1',
    listen_port: String(port),
    mode: `reverse:https://${host}/`,
    connection_strategy: 'lazy', // so that it knows what the client speaks when it connects
    keep_host_header: 'true',
    ssl_verify_upstream_trusted_ca: file('ca.pem', setup.ca),
    certs: `${host}=${file('cert.pem', `${identity.key}${identity.cert}`)}`,
  };
  const options = Object.entries(settings).map(([name, value]) => `--set=${name}=${value}`);
  const child = spawn(
    'mitmdump',
    ['--quiet', `--scripts=${file('inject.py', scriptFor(setup))}`, ...options],
    {
      stdio: 'ignore', // it complains about every connection that a client has left,
    },
  );
  const ended = once(child, 'exit');
  await listening(child, port, 'mitmdump');
  return {
    pid: child.pid ?? 0,
    port,
    async close() {
      child.kill('SIGTERM');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
