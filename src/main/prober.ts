/**
 * Probes a stored server through the data plane. No value is opened for it and no cell started: the manifest says where
 * the credentials would go, and what they look like.
 */
import { manifestOf, type Prober } from '../api/index.ts';
import type { Egress, ProbeOptions } from '../egress/index.ts';
import type { Random } from '../kernel/index.ts';
import { makePlaceholder } from '../manifest/index.ts';
import type { KillSwitch, Principal } from '../mcp/index.ts';

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
      const options: ProbeOptions = {
        ...(path === undefined ? {} : { path }),
        ...(hosts === undefined ? {} : { hosts }),
        ...(post === undefined ? {} : { post }),
      };
      const stopped = new AbortController();
      const check = (): Promise<void> => kills.check(operator, server.slug);
      // Listened for before the first question: a switch set in between is not missed.
      const stopListening = kills.onKill(() => void check().catch((kill: unknown) => stopped.abort(kill)));
      try {
        await check();
        const results = await egress.probe(
          {
            workspace: operator.workspace,
            server: server.slug,
            actor: operator.actor,
            rules: manifest.egress,
            credentials: sealed,
            canary: (credential) => makePlaceholder(patterns.get(credential) ?? '', random),
            options,
          },
          tell,
          AbortSignal.any([wanted, stopped.signal]),
        );
        return results.map((result) => ({ ...result, echoed: result.echoed.map((echo) => ({ ...echo })) }));
      } finally {
        stopListening();
      }
    },
  };
}
