/** Senders that post: batches as webhooks, and as OpenTelemetry log records. */
import {
  alertBody,
  otlpBody,
  otlpRejected,
  readSigningKeys,
  slackBody,
  type Sender,
  webhookBody,
  webhookHeaders,
} from '../../delivery/index.ts';
import { AppError, type Clock, type Secret } from '../../kernel/index.ts';
import type { HttpWay } from './http-way.ts';
import { type PostSettings, postTarget } from './post-target.ts';
import type { SecretSource } from './secret-source.ts';

export interface HttpSenderDeps {
  readonly way: HttpWay;
  readonly secrets: SecretSource;
  readonly clock: Clock;
  readonly version: string;
}

interface Settings extends PostSettings {
  readonly name: string;
}

export const webhookSender = (
  { way, secrets, clock }: HttpSenderDeps,
  settings: Settings & { readonly secretFile?: string | undefined },
): Sender => ({
  async send(batch, signal) {
    const body = webhookBody(batch);
    const headers = await signed(settings.secretFile, secrets, (keys) =>
      webhookHeaders(keys, batch.id, clock.now(), body),
    );
    const target = await postTarget(settings, secrets);
    await way.post({ stream: settings.name, ...target, headers, body }, signal);
    return { rejected: 0 };
  },
});

/** One message for each event; the id is the alert's, whoever sends it and how often. */
export const alertSender = (
  { way, secrets, clock }: HttpSenderDeps,
  settings: Settings & { readonly secretFile?: string | undefined },
): Sender => ({
  async send({ id, events }, signal) {
    for (const event of events) {
      const body = alertBody(event);
      const headers = await signed(settings.secretFile, secrets, (keys) =>
        webhookHeaders(keys, textOf(event.data['id']) ?? id, clock.now(), body),
      );
      const target = await postTarget(settings, secrets);
      await way.post({ stream: settings.name, ...target, headers, body }, signal);
    }
    return { rejected: 0 };
  },
});

const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null);

export const slackSender = ({ way, secrets }: HttpSenderDeps, settings: Settings): Sender => ({
  async send({ events }, signal) {
    for (const event of events) {
      const target = await postTarget(settings, secrets);
      await way.post({ stream: settings.name, ...target, headers: [], body: slackBody(event) }, signal);
    }
    return { rejected: 0 };
  },
});

export const otlpSender = ({ way, secrets, version }: HttpSenderDeps, settings: Settings): Sender => ({
  async send(batch, signal) {
    const target = await postTarget(settings, secrets);
    const body = otlpBody(batch, version);
    const answer = await way.post({ stream: settings.name, ...target, headers: [], body }, signal);
    return { rejected: otlpRejected(answer.text) };
  },
});

/** @throws AppError `delivery_secret_*` */
async function signed<T>(
  secretFile: string | undefined,
  secrets: SecretSource,
  sign: (keys: readonly Secret[]) => T,
): Promise<T> {
  if (secretFile === undefined) return sign([]);
  const text = await secrets.read(secretFile);
  const keys = readSigningKeys(text);
  text.destroy();
  if (!keys.ok)
    throw new AppError(
      'delivery_secret_unreadable',
      `The secret in ${secretFile} cannot be used: ${keys.error}.`,
      {
        kind: 'failed',
        hint: 'Write `whsec_` and the secret in base64, as Standard Webhooks has it.',
      },
    );
  try {
    return sign(keys.value);
  } finally {
    for (const key of keys.value) key.destroy();
  }
}
