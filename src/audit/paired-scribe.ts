/**
 * Two scribes on one log. Handing a batch to another thread and hearing back costs as much as writing a few events
 * does, and takes several times as long: where next to nothing is going on, the near one writes, in this thread; where
 * more comes together, the far one does, in its own. They take turns on a chain and tell each other where it ends, so
 * that each notices what the other would: a log that was put back.
 *
 * Of a workspace, one batch is under way at a time (`outbox.ts`): that is what makes the turns.
 */
import { limits, type WorkspaceId } from '../kernel/index.ts';
import type { ChainEnd } from './chain-writer.ts';
import type { Scribe } from './scribe.ts';

interface Turn {
  /** Who wrote last. */
  scribe: Scribe;
  end: ChainEnd | null;
  nearInARow: number;
}

/** Both are closed with it. */
export function pairedScribe(near: Scribe, far: Scribe): Scribe {
  const turns = new Map<WorkspaceId, Turn>();

  function turnOf(workspace: WorkspaceId): Turn {
    const turn = turns.get(workspace) ?? { scribe: far, end: null, nearInARow: 0 };
    turns.set(workspace, turn);
    return turn;
  }

  /** Now and then the far one in any case: it keeps the database's files in order. */
  const isFew = (turn: Turn, events: number): boolean =>
    events <= limits.auditNearEventsMax && turn.nearInARow < limits.auditNearBatchesMax;

  return {
    async write(workspace, batch, wantsHashes) {
      const turn = turnOf(workspace);
      const scribe = isFew(turn, batch.length) ? near : far;
      turn.nearInARow = scribe === near ? turn.nearInARow + 1 : 0;
      if (scribe !== turn.scribe && turn.end !== null) scribe.goOnFrom(workspace, turn.end);
      turn.scribe = scribe;
      const written = await scribe.write(workspace, batch, wantsHashes);
      turn.end = written.end;
      return written;
    },
    goOnFrom(workspace, end) {
      near.goOnFrom(workspace, end);
      far.goOnFrom(workspace, end);
    },
    async seen(workspace) {
      const [one, two] = await Promise.all([near.seen(workspace), far.seen(workspace)]);
      return (one?.sequence ?? 0) > (two?.sequence ?? 0) ? one : two;
    },
    async close() {
      // Whoever wrote last signs where it ended.
      for (const [workspace, { scribe, end }] of turns) {
        if (end !== null) (scribe === near ? far : near).goOnFrom(workspace, end);
      }
      return [...(await near.close()), ...(await far.close())];
    },
  };
}
