/** The doors that answers come in by, on a world's book and with secrets in files. */
import { silentLog } from '../../../src/kernel/index.ts';
import { AnswerDoors, type AnswerDoorsDeps } from '../../../src/main/approvals/answer-doors.ts';
import { fileSecrets } from '../delivery-world.ts';
import type { BookWorld } from './book-world.ts';

export const openDoors = (
  { workspace, audit, clock }: BookWorld,
  home: string,
  deps: Pick<AnswerDoorsDeps, 'settings' | 'book' | 'slack'>,
): AnswerDoors =>
  new AnswerDoors({ ...deps, workspace, secrets: fileSecrets(home), audit, clock, log: silentLog });
