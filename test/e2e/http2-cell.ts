/**
 * A whole gateway whose cell reaches upstreams that speak HTTP/2 and lie with this process. The key is bound to `API`, in two
 * header fields; `HOSTILE` is only listed.
 */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { API, attackerManifest, HOSTILE, openWorld, type World } from '../attacks/whole-world.ts';
import { createTestAuthority, type Identity } from '../egress/test-authority.ts';

const authority = createTestAuthority([API, HOSTILE]);
export const identityOf = (host: string): Identity => authority.issue(host);

export interface Http2CellOptions {
  /** Ports on loopback that the hosts lead to. */
  readonly ports: { readonly api: number; readonly hostile: number };
  /** Package that programs in the cell can `require`. */
  readonly library?: string;
}

const INJECT = [{ header: 'Authorization', format: 'Bearer {token}' }, { header: 'X-Key' }];

export function openHttp2Cell({ ports, library }: Http2CellOptions): Promise<World> {
  const credential = (attackerManifest('')['credentials'] as readonly object[])[0];
  return openWorld({
    manifest: ({ folder }) => {
      if (library !== undefined) install(library, join(folder, 'servers/node_modules'));
      return { credentials: [{ ...credential, inject: INJECT }] };
    },
    settings: ({ ca }) => {
      const own = join(dirname(ca), 'http2.pem');
      writeFileSync(own, authority.caPem);
      const resolve = `{ "${API}:443": "127.0.0.1:${ports.api}", "${HOSTILE}:443": "127.0.0.1:${ports.hostile}" }`;
      return `egress: { resolve: ${resolve}, extraCa: [ ${own} ], allowNetworks: [ 127.0.0.0/8 ] }\n`;
    },
  });
}

const MODULES = join(import.meta.dirname, '../../node_modules');

/** Copies a package and whatever it depends on. */
function install(name: string, to: string, done = new Set<string>()): void {
  if (done.has(name)) return;
  done.add(name);
  cpSync(join(MODULES, name), join(to, name), { recursive: true });
  const text = readFileSync(join(MODULES, name, 'package.json'), 'utf8');
  const { dependencies = {} } = JSON.parse(text) as { dependencies?: Record<string, string> };
  for (const dependency of Object.keys(dependencies)) install(dependency, to, done);
}
