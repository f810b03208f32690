/**
 * Answers that come over the network, at an open door: signed webhooks, and buttons that were pressed in Slack. Nothing of
 * what comes is read before its signature holds; whose answer it is then is looked up in the settings, and nobody else's
 * counts. The same message counts once.
 */
import { z } from 'zod';
import type { AuditLog } from '../../audit/index.ts';
import { readSigningKeys } from '../../delivery/index.ts';
import {
  AppError,
  type Clock,
  httpStatus,
  type JsonObject,
  limits,
  type Log,
  type Secret,
  toWire,
  type WorkspaceId,
} from '../../kernel/index.ts';
import { parseStrictJson } from '../../wire/index.ts';
import type { ApprovalSettings } from '../config-approvals.ts';
import type { SecretSource } from '../delivery/secret-source.ts';
import type { Answer, ApprovalBook } from './approval-book.ts';
import { slackAccount, webhookAccount } from './people.ts';
import { type Headers, type SignedMessage, slackSigned, TakenMessages, webhookSigned } from './signatures.ts';
import { answeredMessage, refusedMessage } from './slack-message.ts';
import type { SlackAnswers } from './slack-answers.ts';

export interface AnswerDoorsDeps {
  readonly workspace: WorkspaceId;
  readonly settings: Pick<ApprovalSettings, 'webhook' | 'slack'>;
  readonly secrets: SecretSource;
  readonly book: Pick<ApprovalBook, 'answer' | 'find'>;
  readonly slack: Pick<SlackAnswers, 'answered'> | null;
  readonly audit: Pick<AuditLog, 'record'>;
  readonly clock: Clock;
  readonly log: Log;
}

export interface DoorAnswer {
  readonly status: number;
  /** JSON; null: nothing. */
  readonly body: unknown;
}

export const WEBHOOK_PATH = '/hooks/approvals';
export const SLACK_PATH = '/hooks/slack';

const Said = z.strictObject({
  approval: z.string(),
  decision: z.enum(['approve', 'reject', 'revoke']),
  by: z.string(),
  scope: z
    .discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('once') }),
      z.strictObject({ kind: z.literal('session') }),
      z.strictObject({ kind: z.literal('minutes'), minutes: z.number() }),
    ])
    .default({ kind: 'once' }),
  reason: z.string().nullable().default(null),
});

const Pressed = z.object({
  type: z.literal('block_actions'),
  team: z.object({ id: z.string() }).nullish(),
  user: z.object({ id: z.string() }),
  actions: z.array(z.object({ action_id: z.enum(['approve', 'reject']), value: z.string() })).length(1),
  response_url: z.string(),
});

export class AnswerDoors {
  readonly #deps: AnswerDoorsDeps;
  readonly #taken = new TakenMessages();
  #forged = { minute: 0, count: 0 };

  constructor(deps: AnswerDoorsDeps) {
    this.#deps = deps;
  }

  /** Whether anybody may answer at this path. */
  isOpen(path: string): boolean {
    const { webhook, slack } = this.#deps.settings;
    return (path === WEBHOOK_PATH && webhook !== undefined) || (path === SLACK_PATH && slack !== undefined);
  }

  /** Never rejects. @param body as it came */
  async take(path: string, headers: Headers, body: Buffer): Promise<DoorAnswer> {
    try {
      return path === SLACK_PATH
        ? await this.#fromSlack(headers, body)
        : await this.#fromWebhook(headers, body);
    } catch (error) {
      if (!(error instanceof AppError))
        this.#deps.log.error('approval.answer_failed', { error: String(error) });
      return {
        status: statusOf(error),
        body: { error: toWire(error) },
      };
    }
  }

  async #fromWebhook(headers: Headers, body: Buffer): Promise<DoorAnswer> {
    const { settings, secrets, clock, book } = this.#deps;
    if (settings.webhook === undefined) throw closed();
    const { secretFile, people } = settings.webhook;
    const text = await secrets.read(secretFile);
    const keys = readSigningKeys(text);
    text.destroy();
    if (!keys.ok) throw unusable(secretFile, keys.error);
    const message = withKeys(keys.value, () => webhookSigned(keys.value, headers, body, clock.now()));
    return this.#once(WEBHOOK_PATH, message, async (saidAt) => {
      const said = read(Said, body.toString('utf8'));
      if (!people.includes(said.by)) throw await this.#stranger(WEBHOOK_PATH, webhookAccount(said.by));
      const { approval, by, ...answer } = said;
      const kept = await book.answer(approval, {
        actor: { kind: 'user', id: by },
        account: webhookAccount(by),
        saidAt,
        ...answer,
      });
      return { status: 200, body: { approval: kept.id, state: kept.approval.state } };
    });
  }

  /** Slack wants to hear within seconds that it came; what became of it is told by its own message. */
  async #fromSlack(headers: Headers, body: Buffer): Promise<DoorAnswer> {
    const { settings, secrets, clock, slack } = this.#deps;
    if (settings.slack === undefined || slack === null) throw closed();
    const secret = await secrets.read(settings.slack.signingSecretFile);
    const message = withKeys([secret], () => slackSigned(secret, headers, body, clock.now()));
    const { at: saidAt } = await this.#firstTime(SLACK_PATH, message);
    const payload = new URLSearchParams(body.toString('utf8')).get('payload') ?? '';
    const { user, team, actions, response_url: address } = read(Pressed, payload);
    const [action] = actions;
    if (action === undefined) throw malformed();
    const { people, team: onlyTeam } = settings.slack;
    const isOfTeam = onlyTeam === undefined || team?.id === onlyTeam;
    const person = isOfTeam && Object.hasOwn(people, user.id) ? people[user.id] : undefined;
    try {
      if (person === undefined) throw await this.#stranger(SLACK_PATH, slackAccount(user.id));
      const answer: Answer = {
        actor: { kind: 'user', id: person },
        account: slackAccount(user.id),
        saidAt,
        decision: action.action_id,
        scope: { kind: 'once' },
        reason: null,
      };
      const kept = await this.#deps.book.answer(action.value, answer);
      slack.answered(kept.id, address, answeredMessage(kept));
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      // The buttons of what was answered elsewhere go away.
      const isOver = error.code === 'approval_not_pending';
      const message = isOver
        ? answeredMessage(await this.#deps.book.find(action.value))
        : refusedMessage(`${error.message} ${error.hint ?? ''}`);
      slack.answered(action.value, address, message);
    }
    return { status: 200, body: null };
  }

  /** What could not be answered, and may come again for that, is as if it never came. @throws as `#firstTime` and `answer` */
  async #once(
    path: string,
    message: SignedMessage | null,
    answer: (saidAt: number) => Promise<DoorAnswer>,
  ): Promise<DoorAnswer> {
    const { name, at } = await this.#firstTime(path, message);
    try {
      return await answer(at);
    } catch (error) {
      if (statusOf(error) >= 500) this.#taken.forget(name);
      throw error;
    }
  }

  /** @returns it, signed. @throws AppError where it is not, or came before */
  async #firstTime(path: string, message: SignedMessage | null): Promise<SignedMessage> {
    if (message === null) {
      await this.#recordForged(path, 'approval_signature_invalid');
      throw new AppError('approval_signature_invalid', 'This is not signed as it has to be, or not now.', {
        kind: 'unauthenticated',
        hint: 'See docs/approvals.md for how answers are signed; look at the clocks of both sides.',
      });
    }
    if (this.#taken.take(message.name, this.#deps.clock.now())) return message;
    await this.#recordForged(path, 'approval_answer_repeated');
    throw new AppError('approval_answer_repeated', 'This very message came before: it counts once.', {
      kind: 'conflict',
    });
  }

  /** @param account that nobody named */
  async #stranger(door: string, account: string): Promise<AppError> {
    const error = stranger();
    await this.#recordForged(door, error.code, { account: account.slice(0, ACCOUNT_CHARS_MAX) });
    return error;
  }

  /** Anybody may send as much of it as they like. */
  async #recordForged(door: string, code: string, more: JsonObject = {}): Promise<void> {
    const { workspace, audit, clock } = this.#deps;
    const minute = Math.floor(clock.now() / MINUTE_MS);
    this.#forged = { minute, count: this.#forged.minute === minute ? this.#forged.count + 1 : 1 };
    if (this.#forged.count > limits.approvalForgedRecordedMax) return;
    const actor = { kind: 'system', id: 'gateway' } as const;
    await audit.record({ workspace, type: 'approval.refused', actor, data: { code, door, ...more } });
  }
}

const statusOf = (error: unknown): number => (error instanceof AppError ? httpStatus[error.kind] : 500);

const MINUTE_MS = 60_000;
/** Of an account, on record. */
const ACCOUNT_CHARS_MAX = 80;

function withKeys<T>(keys: readonly Secret[], use: () => T): T {
  try {
    return use();
  } finally {
    for (const key of keys) key.destroy();
  }
}

/** @throws AppError `approval_answer_malformed` */
function read<T>(shape: z.ZodType<T>, text: string): T {
  const parsed = parseStrictJson(text);
  const found = parsed.ok ? shape.safeParse(parsed.value) : null;
  if (found?.success !== true) throw malformed();
  return found.data;
}

const malformed = (): AppError =>
  new AppError('approval_answer_malformed', 'This is signed, and no answer to an approval.', {
    kind: 'invalid',
  });

const stranger = (): AppError =>
  new AppError('approval_not_entitled', 'Whoever answers is not among those who may.', {
    kind: 'denied',
    hint: 'The operator names them in sallyport.yaml: `approvals`.',
  });

const closed = (): AppError =>
  new AppError('approval_door_closed', 'No answers are taken here.', { kind: 'not_found' });

const unusable = (file: string, why: string): AppError =>
  new AppError('delivery_secret_unreadable', `The secret in ${file} cannot be used: ${why}.`, {
    kind: 'failed',
  });
