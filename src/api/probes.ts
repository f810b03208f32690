/** Probing the hosts that a server's credentials may go to. */
import { AppError } from '../kernel/index.ts';
import type { ApiDeps } from './deps.ts';
import type { ProbeBody, ProbeReport, ProbeView } from './probe-schemas.ts';
import { findServer } from './servers.ts';

/**
 * Asks every host that the server's credentials may go to, and keeps what was found with the server, in place of what
 * was found before. Needs no value to be set and no cell.
 *
 * @param tell told in words what is asked
 * @param gone nobody waits for it any more: then it ends, and nothing is kept
 * @throws AppError `server_unknown`, `server_disabled`, `server_manifest_invalid`, `kill_active`, `probe_*`
 */
export async function probeServer(
  deps: ApiDeps,
  slug: string,
  options: ProbeBody,
  tell: (message: string) => void,
  gone: AbortSignal,
): Promise<ProbeView> {
  const row = await findServer(deps, slug);
  if (!row.enabled) {
    throw new AppError('server_disabled', `\`${slug}\` is disabled.`, {
      kind: 'denied',
      hint: `Enable it: \`sallyport server enable ${slug}\`.`,
    });
  }
  const report: ProbeReport = { probes: await deps.prober.probe(row, options, tell, gone) };
  const about = { at: deps.clock.now(), manifestHash: row.manifestHash };
  await deps.probes.save(deps.workspace, row.id, { ...about, report });
  return { ...about, ...report };
}
