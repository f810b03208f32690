/**
 * Where approvals are told in Slack: by an app's bot, whose messages can be changed later, or by an incoming webhook, which
 * takes messages and no changes. Both by the data plane, with the token, or the address, as a secret that it puts in.
 */
import { z } from 'zod';
import { AppError, isAppError, type JsonObject } from '../../kernel/index.ts';
import type { SlackSettings } from '../config-approvals.ts';
import type { HttpPost, HttpWay } from '../delivery/http-way.ts';
import { postTarget } from '../delivery/post-target.ts';
import type { SecretSource } from '../delivery/secret-source.ts';

export const MessageRef = z.strictObject({ channel: z.string(), ts: z.string() });
/** What a message is changed by. */
export type MessageRef = z.infer<typeof MessageRef>;

export interface SlackPlace {
  /**
   * @returns null where it cannot be changed later
   * @throws AppError `slack_message_refused` where this very message will never do, `slack_refused`, and as `HttpWay`
   */
  post(message: JsonObject, signal: AbortSignal): Promise<MessageRef | null>;
  /** @throws AppError as `post` */
  update(ref: MessageRef, message: JsonObject, signal: AbortSignal): Promise<void>;
  /** Whether it is Slack that listens there for what became of an answer. */
  hears(address: URL): Promise<boolean>;
}

export const SLACK_STREAM = 'slack-approvals';

export function slackPlace(settings: SlackSettings, way: HttpWay, source: SecretSource): SlackPlace {
  const { urlFile, tokenFile, channel, apiUrl } = settings;
  if (urlFile !== undefined) return incoming(urlFile, way, source);
  if (tokenFile !== undefined && channel !== undefined)
    return botOf({ tokenFile, channel, apiUrl }, way, source);
  throw new Error('settings that name no place in Slack');
}

const bodyOf = (message: JsonObject): Buffer => Buffer.from(JSON.stringify(message));

function incoming(urlFile: string, way: HttpWay, source: SecretSource): SlackPlace {
  return {
    async post(message, signal) {
      const target = await postTarget({ urlFile }, source);
      const post = { stream: SLACK_STREAM, ...target, headers: [], body: bodyOf(message) };
      await way.post(post, signal).catch((error: unknown) => {
        const status = isAppError(error) ? error.detail?.['status'] : undefined;
        const isMessage = typeof status === 'number' && MESSAGE_STATUSES.has(status);
        throw isMessage ? refused('incoming webhook', `status ${status}`, true) : error;
      });
      return null;
    },
    async update() {
      throw new Error('a message of an incoming webhook cannot be changed');
    },
    hears: async ({ origin }) => (await postTarget({ urlFile }, source)).url.origin === origin,
  };
}

/** @see https://docs.slack.dev/reference/methods/chat.postMessage */
const Answer = z.object({
  ok: z.boolean(),
  error: z.string().optional(),
  channel: z.string().optional(),
  ts: z.string().optional(),
});

/** Of an incoming webhook, as `MESSAGE_FAULTS`. */
const MESSAGE_STATUSES: ReadonlySet<number> = new Set([400, 413]);

/** It is this message, and not the way to it: another try would be told the same. */
const MESSAGE_FAULTS: ReadonlySet<string> = new Set([
  'cant_update_message',
  'edit_window_closed',
  'invalid_blocks',
  'invalid_blocks_format',
  'message_not_found',
  'msg_blocks_too_long',
  'msg_too_long',
  'no_text',
]);

function botOf(
  { tokenFile, channel, apiUrl }: { tokenFile: string; channel: string; apiUrl: string },
  way: HttpWay,
  source: SecretSource,
): SlackPlace {
  const secrets: HttpPost['secrets'] = [
    {
      name: 'authorization',
      into: { header: 'Authorization', format: 'Bearer {token}' },
      open: () => source.read(tokenFile),
    },
  ];
  async function call(method: string, message: JsonObject, signal: AbortSignal) {
    const post = { stream: SLACK_STREAM, secrets, headers: [], body: bodyOf(message) };
    const { text } = await way.post({ ...post, url: new URL(`${apiUrl}/${method}`) }, signal);
    const answer = answerOf(text);
    if (!answer.ok)
      throw refused(method, answer.error ?? 'no reason', MESSAGE_FAULTS.has(answer.error ?? ''));
    return answer;
  }
  return {
    async post(message, signal) {
      const sent = await call('chat.postMessage', { channel, ...message }, signal);
      const ref = MessageRef.safeParse({ channel: sent.channel, ts: sent.ts });
      return ref.success ? ref.data : null;
    },
    async update({ channel: where, ts }, message, signal) {
      await call('chat.update', { channel: where, ts, ...message }, signal);
    },
    async hears(address) {
      const api = new URL(apiUrl);
      const hooks = new URL(apiUrl);
      hooks.hostname = `hooks.${api.hostname}`;
      return address.origin === api.origin || address.origin === hooks.origin;
    },
  };
}

function answerOf(text: string): z.infer<typeof Answer> {
  try {
    return Answer.parse(JSON.parse(text));
  } catch {
    return { ok: false, error: 'an answer that is none of Slack' };
  }
}

/** @param why a word of Slack's, or the status @param isMessage it is this message, and not the way to it */
function refused(method: string, why: string, isMessage: boolean): AppError {
  const word = why.replaceAll(/[^\w ]/g, '').slice(0, 60);
  return new AppError(
    isMessage ? 'slack_message_refused' : 'slack_refused',
    `Slack does not take it (${method}): ${word}.`,
    { kind: 'unavailable', hint: 'Look at the app: it needs chat:write, and has to be in the channel.' },
  );
}
