/**
 * Explains events whose content does not have the hash stored with them. Most were edited; some are whole and only
 * stand in the wrong place. The event that one of those names as `previous` tells where it came from.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { limits, type WorkspaceId } from '../kernel/index.ts';
import { hashOf, NO_PREVIOUS } from './canonical.ts';
import type { RecordedEvent } from './events.ts';
import type { AuditStore } from './ports.ts';
import type { VerifyProblem } from './verify-report.ts';

/** An event that does not have its hash. */
export type Misfit = RecordedEvent;

/** @param misfits in order of sequence */
export async function explainMisfits(
  store: AuditStore,
  workspace: WorkspaceId,
  misfits: readonly Misfit[],
): Promise<readonly VerifyProblem[]> {
  if (misfits.length === 0) return [];
  const placeOf = await findPlaces(store, workspace, new Set(misfits.map((event) => event.previous)));
  const problems: VerifyProblem[] = [];
  const movedFrom = new Map<number, number>();
  for (const event of misfits) {
    const place = placeOf.get(event.previous);
    const was = place === undefined ? undefined : place + 1;
    const { sequence } = event;
    if (was === undefined || was === sequence || hashOfMoved(event, was) !== event.hash) {
      const message = `Event ${sequence} was edited: its content does not have the hash stored with it.`;
      problems.push({ code: 'event_edited', sequence, message });
      continue;
    }
    // Its followers name it by its hash: they stood right behind where it stood.
    if (placeOf.has(event.hash)) placeOf.set(event.hash, was);
    movedFrom.set(sequence, was);
    problems.push({
      code: 'event_moved',
      sequence,
      message: `Event ${sequence} was moved here from ${was}.`,
    });
  }

  const misplaced = new Set(misfits.map((event) => event.sequence));
  for (const [sequence, was] of movedFrom) {
    if (was >= sequence || misplaced.has(was)) continue;
    const message = `Event ${was} was inserted: event ${sequence} stood there.`;
    problems.push({ code: 'event_inserted', sequence: was, message });
  }
  return problems;
}

function hashOfMoved(event: Misfit, sequence: number): string | null {
  try {
    return hashOf({ ...event, sequence });
  } catch {
    return null;
  }
}

/** Where the events with these hashes stand now. A second reading, done only when something is wrong. */
async function findPlaces(
  store: AuditStore,
  workspace: WorkspaceId,
  wanted: ReadonlySet<string>,
): Promise<Map<string, number>> {
  const places = new Map<string, number>();
  if (wanted.has(NO_PREVIOUS)) places.set(NO_PREVIOUS, 0);
  let from = 1;
  while (places.size < wanted.size) {
    const page = await store.read(workspace, from, limits.auditPageEvents);
    for (const { hash, sequence } of page) if (wanted.has(hash)) places.set(hash, sequence);
    const last = page.at(-1);
    if (last === undefined) break;
    from = last.sequence + 1;
    await nextTurn();
  }
  return places;
}
