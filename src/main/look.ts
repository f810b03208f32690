/** Asks a server for all that it offers, in a cell that serves nobody and ends with the answer. */
import { AppError, isAppError } from '../kernel/index.ts';
import type { Front, KillSwitch, Principal, SeenDefinition } from '../mcp/index.ts';
import type { CellPool } from './cells/pool.ts';

export interface LookDeps {
  readonly pool: Pick<CellPool, 'look'>;
  readonly front: Pick<Front, 'definitionsOf'>;
  readonly kills: Pick<KillSwitch, 'check'>;
  readonly operator: Principal;
}

/**
 * @param withinMs how long it may take from its start
 * @throws AppError why it cannot be started or does not say
 */
export async function askForDefinitions(
  deps: LookDeps,
  slug: string,
  withinMs: number,
): Promise<readonly SeenDefinition[]> {
  try {
    return await askOnce(deps, slug, withinMs);
  } catch (error) {
    if (!isAppError(error) || error.code !== 'upstream_asked_again') throw error;
    return askOnce(deps, slug, withinMs);
  }
}

async function askOnce(
  { pool, front, kills, operator }: LookDeps,
  slug: string,
  withinMs: number,
): Promise<readonly SeenDefinition[]> {
  await kills.check(operator, slug);
  return pool.look(slug, async (transport) => {
    // A start takes a while; a switch that was set meanwhile holds too.
    await kills.check(operator, slug);
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(tooLate(slug, withinMs)), withinMs);
    try {
      return await Promise.race([front.definitionsOf(transport, slug), late.promise]);
    } finally {
      clearTimeout(timer);
    }
  });
}

const tooLate = (slug: string, withinMs: number): AppError =>
  new AppError('definitions_late', `\`${slug}\` did not say within ${withinMs / 1_000} s what it offers.`, {
    kind: 'unavailable',
    hint: `See what it is doing: sallyport server logs ${slug}`,
  });
