/** What the recorder writes, as the store takes it. */
import type { WriterPorts } from '../../recording/index.ts';
import type { RecordingRepository } from '../../store/index.ts';

export const appendTo =
  (recordings: Pick<RecordingRepository, 'append'>): WriterPorts['append'] =>
  (workspace, growths) =>
    recordings.append(
      workspace,
      growths.map(({ session: id, begun, total: { entries, calls, dropped }, ...grown }) => ({
        id,
        begun: begun === null ? null : { ...begun.facts, dataKey: Buffer.from(begun.dataKey) },
        entries,
        calls,
        dropped,
        ...grown,
      })),
    );
