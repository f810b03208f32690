/**
 * What servers offer to agents, and the operator's decisions about it. Nothing is ever agreed to here but what an operator
 * does: adding a server, giving it its credentials, or saying so.
 */
import { isAppError } from '../kernel/index.ts';
import type { Definition, DefinitionReport } from './definition-schemas.ts';
import type { ApiDeps } from './deps.ts';
import type { ServerRow } from './ports.ts';
import { viewSecrets } from './server-views.ts';

type DefinitionDeps = Pick<ApiDeps, 'definitions'>;

/** Asks the server what it offers now. Where that cannot be had, what is known of it. */
export async function lookAt(
  { definitions }: DefinitionDeps,
  row: ServerRow,
  tell: (message: string) => void,
): Promise<DefinitionReport> {
  tell(`asking ${row.slug} what it offers`);
  try {
    return await definitions.look(row);
  } catch (error) {
    if (!isAppError(error)) throw error;
    const { code, message, hint } = error;
    const problem = { code, message, ...(hint === undefined ? {} : { hint }) };
    return { ...(await definitions.view(row)), problem };
  }
}

/** Asks the server what it offers, and agrees to it: to all that can be seen for what it is. */
export async function adopt(
  deps: DefinitionDeps,
  row: ServerRow,
  tell: (message: string) => void,
): Promise<DefinitionReport> {
  const report = await lookAt(deps, row, tell);
  const plain = report.definitions.filter((one) => waits(one) && one.characters.length === 0);
  if (report.problem !== null || plain.length === 0) return report;
  return deps.definitions.decide(row, 'approve', plain);
}

/** A server that could not be asked what it offers without its credentials is asked as soon as it has them. */
export async function adoptWhenComplete(deps: ApiDeps, row: ServerRow): Promise<DefinitionReport | null> {
  if (!row.enabled || (await deps.definitions.count(row)).looked) return null;
  const slots = await viewSecrets(deps, row);
  if (slots.some(({ required, version }) => required && version === null)) return null;
  return adopt(deps, row, () => undefined);
}

const waits = ({ state }: Pick<Definition, 'state'>): boolean => state === 'new' || state === 'changed';
