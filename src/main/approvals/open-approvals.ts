/** Approvals of a gateway, with the doors that answers come in by and what tells Slack: made of its parts, begun and ended together. */
import type { AuditLog } from '../../audit/index.ts';
import { type Clock, limits, type Log, type Random, type WorkspaceId } from '../../kernel/index.ts';
import type { KeyRing } from '../../seal/index.ts';
import type { Store } from '../../store/index.ts';
import type { KillState } from '../../vault/index.ts';
import type { ApprovalSettings } from '../config-approvals.ts';
import type { HttpWay } from '../delivery/http-way.ts';
import type { SecretSource } from '../delivery/secret-source.ts';
import { AnswerDoors } from './answer-doors.ts';
import { ApprovalBook } from './approval-book.ts';
import { approvalAddress } from './approval-page.ts';
import { peopleOf } from './people.ts';
import { serverState } from './server-state.ts';
import { SlackAnswers } from './slack-answers.ts';
import { type SlackBacklog, SlackBoard } from './slack-board.ts';
import { slackPlace } from './slack-place.ts';

export interface OpenApprovalsDeps {
  readonly workspace: WorkspaceId;
  readonly secrets: SecretSource;
  readonly settings: ApprovalSettings;
  readonly store: Pick<Store, 'approvals' | 'servers' | 'credentials' | 'grants' | 'streams'>;
  readonly ring: Pick<KeyRing, 'sealValue' | 'openValue'>;
  readonly audit: Pick<AuditLog, 'record' | 'append'>;
  readonly way: HttpWay;
  readonly kills: Pick<KillState, 'active'>;
  /** Where clients find the gateway, without a path; null: nowhere by address. */
  readonly base: () => string | null;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface OpenApprovals {
  readonly book: ApprovalBook;
  readonly answers: AnswerDoors;
  /** Null: Slack is told nothing. */
  slackBacklog(): Promise<SlackBacklog | null>;
  /** Tells Slack from now on: for the process that serves. */
  start(): void;
  close(): Promise<void>;
}

export function openApprovals(deps: OpenApprovalsDeps): OpenApprovals {
  const { workspace, secrets, settings, store, ring, audit, way, kills, base, clock, random, log } = deps;
  const gateway = { kind: 'system', id: 'gateway' } as const;
  const book = new ApprovalBook({
    workspace,
    store,
    ring,
    audit,
    people: peopleOf(settings),
    serverState: serverState(workspace, store),
    clock,
    random,
    address: (id) => approvalAddress(base(), id),
    log,
  });
  const held = async (): Promise<boolean> =>
    (await kills.active({ workspace, server: null, actor: gateway })) !== null;
  const place = settings.slack === undefined ? null : slackPlace(settings.slack, way, secrets);
  const slack = place === null ? null : new SlackAnswers({ way, place, held, log });
  const board =
    place === null
      ? null
      : new SlackBoard({
          workspace,
          book,
          place,
          store,
          held,
          async record(type, data) {
            await audit.append({ workspace, type, actor: gateway, data });
          },
          timeoutMs: limits.deliveryTimeoutMs,
          clock,
          random,
          log,
        });
  return {
    book,
    answers: new AnswerDoors({ workspace, settings, secrets, book, slack, audit, clock, log }),
    slackBacklog: async () => (await board?.backlog()) ?? null,
    start: () => board?.start(),
    async close() {
      slack?.close();
      await board?.stop();
      book.close();
    },
  };
}
