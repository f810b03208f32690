/** Where streams keep how far they came: a row of the store for each, read back field by field. */
import { z } from 'zod';
import type { EventSource, StreamState, StreamStore } from '../../delivery/index.ts';
import type { RecordedEvent } from '../../audit/index.ts';
import type { Clock, WorkspaceId } from '../../kernel/index.ts';
import type { Store } from '../../store/index.ts';

const whole = z.number().int().min(0);
const Kept = z.object({
  checkpoint: whole,
  sending: z.object({ sequence: whole, checkpoint: whole }).nullable(),
  failures: whole,
  code: z.string().nullable(),
  since: z.number().nullable(),
});

export async function streamState(
  store: Pick<Store, 'streams'>,
  workspace: WorkspaceId,
  name: string,
): Promise<StreamState | null> {
  const record = await store.streams.find(workspace, name);
  return record === null ? null : { sequence: record.sequence, ...Kept.parse(record.state) };
}

export const streamStore = (
  store: Pick<Store, 'streams'>,
  workspace: WorkspaceId,
  name: string,
  clock: Clock,
): StreamStore => ({
  load: () => streamState(store, workspace, name),
  save: ({ sequence, checkpoint, sending, failures, code, since }) =>
    store.streams.save(workspace, {
      name,
      sequence,
      state: {
        checkpoint,
        sending: sending === null ? null : { sequence: sending.sequence, checkpoint: sending.checkpoint },
        failures,
        code,
        since,
      },
      updatedAt: Math.floor(clock.now()),
    }),
});

export const eventSource = (store: Pick<Store, 'audit'>, workspace: WorkspaceId): EventSource => ({
  head: async () => (await store.audit.head(workspace))?.sequence ?? 0,
  read: (from, limit) => store.audit.read<RecordedEvent>(workspace, from, limit),
  checkpoints: (after) => store.audit.checkpoints(workspace, after),
});
