/** Reading a chain for verification: to the end, whatever state the rows are in, and without holding up the gateway. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { isAppError, limits, type WorkspaceId } from '../kernel/index.ts';
import type { RecordedEvent } from './events.ts';
import type { AuditStore } from './ports.ts';

/**
 * Events 1 to `end` in pages. Where the store finds a row damaged (`store_corrupt`), the page is read row by row.
 *
 * @param onUnreadable is told the sequence of each row that cannot be read
 */
export async function* eventPages(
  store: AuditStore,
  workspace: WorkspaceId,
  end: number,
  onUnreadable: (sequence: number) => void,
): AsyncGenerator<readonly RecordedEvent[], void, void> {
  let from = 1;
  let rowByRowUntil = 0;
  while (from <= end) {
    const limit = from < rowByRowUntil ? 1 : Math.min(limits.auditPageEventsMax, end - from + 1);
    try {
      const page = await store.read(workspace, from, limit);
      const last = page.at(-1);
      if (last === undefined) return;
      yield page.filter((event) => event.sequence <= end);
      from = last.sequence + 1;
    } catch (error) {
      if (!isAppError(error) || error.code !== 'store_corrupt') throw error;
      if (limit === 1) {
        onUnreadable(from);
        from += 1;
      } else {
        rowByRowUntil = from + limit;
      }
    }
    await nextTurn();
  }
}
