/**
 * Probes a stored server through the data plane. No value is opened for it and no cell started: the manifest says where
 * the credentials would go, and what they look like; so does it where a login's token would go, had or not.
 */
import { manifestOf, type Prober } from '../api/index.ts';
import type { Egress, ProbeOptions } from '../egress/index.ts';
import type { Random } from '../kernel/index.ts';
import { defaultPlaceholder, makePlaceholder, type Manifest } from '../manifest/index.ts';
import { whileAllowed } from './kill-guard.ts';
import type { KillSwitch, Principal } from '../mcp/index.ts';
import { grantServerOf, tokenBinding } from './oauth/logins.ts';

export interface ProberDeps {
  readonly operator: Principal;
  readonly egress: Pick<Egress, 'probe'>;
  readonly kills: Pick<KillSwitch, 'check' | 'onKill'>;
  readonly random: Random;
}

export function createProber({ operator, egress, kills, random }: ProberDeps): Prober {
  return {
    async probe(server, { path, hosts, post }, tell, wanted) {
      const manifest = manifestOf(server);
      const sealed = manifest.credentials.filter(({ tier }) => tier === 'sealed');
      const patterns = new Map(sealed.map(({ name, placeholder }) => [name, placeholder]));
      const login = grantServerOf(server, manifest);
      const binding = login === null ? null : tokenBinding(login, random);
      const options: ProbeOptions = {
        ...(path === undefined ? {} : { path }),
        ...(hosts === undefined ? {} : { hosts }),
        ...(post === undefined ? {} : { post }),
      };
      return whileAllowed(kills, operator, server.slug, async (stopped) => {
        const results = await egress.probe(
          {
            workspace: operator.workspace,
            server: server.slug,
            actor: operator.actor,
            rules: manifest.egress,
            credentials: binding === null ? sealed : [...sealed, binding],
            home: homeOf(manifest),
            canary: (credential) => makePlaceholder(patterns.get(credential) ?? defaultPlaceholder, random),
            options,
          },
          tell,
          AbortSignal.any([wanted, stopped]),
        );
        return results.map((result) => ({ ...result, echoed: result.echoed.map((echo) => ({ ...echo })) }));
      });
    },
  };
}

function homeOf({ server }: Manifest): URL | null {
  if (server.kind === 'sandboxed') return null;
  return URL.parse(server.kind === 'remote' ? server.url : server.baseUrl);
}
