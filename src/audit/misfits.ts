/**
 * Explains events whose content does not have the hash stored with them. Most were edited; some are whole and only
 * stand in the wrong place, which a hash that fits at another sequence shows.
 */
import { isAppError, limits, type WorkspaceId } from '../kernel/index.ts';
import { hashOf, NO_PREVIOUS } from './canonical.ts';
import type { RecordedEvent } from './events.ts';
import { eventPages } from './pages.ts';
import type { AuditStore } from './ports.ts';
import type { VerifyProblem } from './verify-report.ts';

/**
 * @param misfits events that do not have their hash, in order of sequence
 * @param end sequence of the last event of the chain
 */
export async function explainMisfits(
  store: AuditStore,
  workspace: WorkspaceId,
  misfits: readonly RecordedEvent[],
  end: number,
): Promise<readonly VerifyProblem[]> {
  if (misfits.length === 0) return [];
  const places = await findPlaces(store, workspace, new Set(misfits.map((event) => event.previous)), end);
  const problems: VerifyProblem[] = [];
  const movedFrom = new Map<number, number>();
  let lastShift = 0;
  for (const event of misfits) {
    const { sequence } = event;
    const predecessor = places.get(event.previous);
    const was = originalSequence(event, [
      sequence + lastShift,
      ...(predecessor === undefined ? [] : [predecessor + 1]),
    ]);
    if (was === undefined) {
      const message = `Event ${sequence} was edited: its content does not have the hash stored with it.`;
      problems.push({ code: 'event_edited', sequence, message });
    } else {
      lastShift = was - sequence;
      movedFrom.set(sequence, was);
      problems.push({
        code: 'event_moved',
        sequence,
        message: `Event ${sequence} was moved here from ${was}.`,
      });
    }
  }

  const misplaced = new Set(misfits.map((event) => event.sequence));
  const hashes = new Map(misfits.map(({ sequence, hash }) => [sequence, hash]));
  for (const [sequence, was] of movedFrom) {
    if (was >= sequence || misplaced.has(was)) continue;
    // Where the event still stands at its place, the misfit is a copy of it, and nothing is wrong there.
    if ((await hashStandingAt(store, workspace, was)) === hashes.get(sequence)) continue;
    const message = `Event ${was} was inserted: event ${sequence} stood there.`;
    problems.push({ code: 'event_inserted', sequence: was, message });
  }
  return problems;
}

/**
 * The sequence at which the event has the hash that is stored with it, if there is one among the likely ones:
 * behind the event that it names as `previous`, as far off as the misfit before it, or nearby.
 */
function originalSequence(event: RecordedEvent, likely: readonly number[]): number | undefined {
  const nearby = Array.from({ length: limits.auditMovedEventsMax }, (_, i) => [
    event.sequence - i - 1,
    event.sequence + i + 1,
  ]);
  return [...likely, ...nearby.flat()].find(
    (sequence) => sequence > 0 && sequence !== event.sequence && hashAt(event, sequence) === event.hash,
  );
}

/** Null for a row that is not there or cannot be read. */
async function hashStandingAt(
  store: AuditStore,
  workspace: WorkspaceId,
  sequence: number,
): Promise<string | null> {
  try {
    const [event] = await store.read(workspace, sequence, 1);
    return event?.sequence === sequence ? event.hash : null;
  } catch (error) {
    if (isAppError(error) && error.code === 'store_corrupt') return null;
    throw error;
  }
}

function hashAt(event: RecordedEvent, sequence: number): string | null {
  try {
    return hashOf({ ...event, sequence });
  } catch {
    // Content that could never have been recorded, at any sequence.
    return null;
  }
}

/** Where the events with these hashes stand now. A second reading, done only when something is wrong. */
async function findPlaces(
  store: AuditStore,
  workspace: WorkspaceId,
  wanted: ReadonlySet<string>,
  end: number,
): Promise<ReadonlyMap<string, number>> {
  const places = new Map<string, number>([[NO_PREVIOUS, 0]]);
  for await (const page of eventPages(store, workspace, end, () => {})) {
    for (const { hash, sequence } of page) if (wanted.has(hash)) places.set(hash, sequence);
  }
  return places;
}
