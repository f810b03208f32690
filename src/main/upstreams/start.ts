/**
 * From a stored server to a running one: the one place that asks what kind of server it is. Whoever started it knows it
 * as a `RunningCell` from then on, however it is reached.
 */
import { manifestOf, type ServerRow } from '../../api/index.ts';
import type { CellId } from '../../kernel/index.ts';
import type { CellKey } from '../cells/cell-key.ts';
import { type RunningCell, startCell, type StartDeps } from '../cells/start.ts';
import { startApi } from './api.ts';
import { startRemote } from './remote.ts';

/**
 * @param onStarting told under which id, as soon as nothing speaks against a start
 * @throws AppError as `startCell`, `startApi` and `startRemote`
 */
export async function startUpstream(
  deps: StartDeps,
  row: ServerRow,
  key: CellKey,
  onStarting: (id: CellId) => void,
): Promise<RunningCell> {
  const manifest = manifestOf(row);
  const { server } = manifest;
  if (server.kind === 'sandboxed') return startCell(deps, { row, manifest, server, key }, onStarting);
  if (server.kind === 'api') return startApi(deps, { row, manifest, server, key }, onStarting);
  return startRemote(deps, { row, manifest, server, key }, onStarting);
}
