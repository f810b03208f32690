/** Getting packages onto the machine on behalf of a server, on record either way. */
import { AppError, isAppError, type JsonObject } from '../kernel/index.ts';
import type { ApiDeps } from './deps.ts';
import type { PackageOptions, PackageRecord } from './ports.ts';

/** What is to be installed, and for whom. */
export interface PackageWish {
  /** `npm:NAME[@VERSION]` or `pypi:NAME[==VERSION]`. */
  readonly spec: string;
  /** The server's slug, where there is one yet. */
  readonly server?: string;
  readonly options: PackageOptions;
}

/** How somebody follows long work, and calls it off. */
export interface Follower {
  readonly tell: (message: string) => void;
  readonly gone: AbortSignal;
}

/** @throws AppError whatever keeps it from being installed; that is on record too, but for `cancelled` */
export async function installPackage(
  deps: Pick<ApiDeps, 'packages' | 'audit' | 'workspace' | 'caller'>,
  { spec, server, options }: PackageWish,
  { tell, gone }: Follower,
): Promise<PackageRecord> {
  const asked = {
    spec,
    scripts: options.allowScripts === true ? 'allowed' : 'off',
    from: options.from === undefined || options.from.length === 0 ? 'registry' : 'archives',
  };
  try {
    const installed = await deps.packages.install(spec, options, tell, gone);
    // Whoever asked and went away (ctrl-C while a package is fetched) does not get it after all.
    if (gone.aborted) throw new AppError('cancelled', 'Cancelled; nothing was changed.', { kind: 'failed' });
    await recordPackage(deps, 'package.installed', server, {
      ...asked,
      spec: installed.spec,
      integrity: installed.integrity,
      parts: installed.parts.length,
      scriptsSkipped: [...installed.scriptsSkipped],
      scriptsRun: [...installed.scriptsRun],
    });
    return installed;
  } catch (error) {
    const reason = isAppError(error) ? error.code : 'internal_error';
    if (reason !== 'cancelled' && reason !== 'audit_unavailable')
      await recordPackage(deps, 'package.refused', server, { ...asked, reason });
    throw error;
  }
}

export async function recordPackage(
  { audit, workspace, caller }: Pick<ApiDeps, 'audit' | 'workspace' | 'caller'>,
  type: 'package.installed' | 'package.refused',
  server: string | undefined,
  data: JsonObject,
): Promise<void> {
  await audit.append({
    workspace,
    type,
    actor: caller.actor,
    ...(server === undefined ? {} : { server }),
    data,
  });
}
