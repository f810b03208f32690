/**
 * What servers offer to agents, and the operator's decisions about it. Nothing is ever agreed to here but what an operator
 * does: adding a server, giving it its credentials, or saying so.
 */
import { isAppError, limits } from '../kernel/index.ts';
import type { Definition, DefinitionReport } from './definition-schemas.ts';
import type { ApiDeps } from './deps.ts';
import type { ServerRow } from './ports.ts';
import { viewSecrets } from './server-views.ts';

interface Patience {
  /** Names of the credentials that the server needs and does not have. */
  readonly lacking: readonly string[];
  readonly withinMs: number;
}

/** Asks the server what it offers now. Where that cannot be had, what is known of it. */
export async function lookAt(
  deps: ApiDeps,
  row: ServerRow,
  tell: (message: string) => void,
): Promise<DefinitionReport> {
  const lacking = await lackingOf(deps, row);
  return ask(deps, row, tell, { lacking, withinMs: limits.definitionsLookMs });
}

async function ask(
  { definitions }: Pick<ApiDeps, 'definitions'>,
  row: ServerRow,
  tell: (message: string) => void,
  { lacking, withinMs }: Patience,
): Promise<DefinitionReport> {
  tell(`asking ${row.slug} what it offers`);
  const quiet = setTimeout(() => {
    const why = lacking.length === 0 ? '' : `; it may not answer without ${lacking.join(', ')}`;
    tell(`waiting up to ${withinMs / 1_000} s for ${row.slug}${why}`);
  }, limits.definitionsLookQuietMs);
  try {
    return await definitions.look(row, withinMs);
  } catch (error) {
    if (!isAppError(error)) throw error;
    const { code, message, hint } = error;
    const problem = { code, message, ...(hint === undefined ? {} : { hint }) };
    return { ...(await definitions.view(row)), problem };
  } finally {
    clearTimeout(quiet);
  }
}

/**
 * Asks the server what it offers, and agrees to it: to all that can be seen for what it is. One that lacks a credential
 * is not waited for as long, because many cannot answer then, and `adoptWhenComplete` asks it again.
 */
export async function adopt(
  deps: ApiDeps,
  row: ServerRow,
  tell: (message: string) => void,
): Promise<DefinitionReport> {
  const lacking = await lackingOf(deps, row);
  const withinMs = lacking.length === 0 ? limits.definitionsLookMs : limits.definitionsLookIncompleteMs;
  const report = await ask(deps, row, tell, { lacking, withinMs });
  const plain = report.definitions.filter((one) => waits(one) && one.characters.length === 0);
  if (report.problem !== null || plain.length === 0) return report;
  return deps.definitions.decide(row, 'approve', plain);
}

/** A server that could not be asked what it offers without its credentials is asked as soon as it has them. */
export async function adoptWhenComplete(deps: ApiDeps, row: ServerRow): Promise<DefinitionReport | null> {
  if (!row.enabled || (await deps.definitions.count(row)).looked) return null;
  if ((await lackingOf(deps, row)).length > 0) return null;
  return adopt(deps, row, () => undefined);
}

const lackingOf = async (deps: ApiDeps, row: ServerRow): Promise<readonly string[]> =>
  (await viewSecrets(deps, row))
    .filter(({ required, version }) => required && version === null)
    .map(({ name }) => name);

const waits = ({ state }: Pick<Definition, 'state'>): boolean => state === 'new' || state === 'changed';
