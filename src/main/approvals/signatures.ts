/**
 * Whether what came to an open door was signed by who shares a secret with the gateway, a moment ago, and not before. The
 * body is the bytes as they came; nothing of it is read before it is known whose it is.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { webhookHeaders } from '../../delivery/index.ts';
import { limits, type Secret } from '../../kernel/index.ts';

/** Names in lower case. */
export type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

export interface SignedMessage {
  /** What tells this message from every other. */
  readonly name: string;
  /** When it was signed, in milliseconds since the Unix epoch. */
  readonly at: number;
}

/**
 * Standard Webhooks: `webhook-id`, `webhook-timestamp`, and in `webhook-signature` a signature for each secret in use.
 *
 * @param keys of which any may have signed it
 * @returns null: it is not signed so, or not now
 */
export function webhookSigned(
  keys: readonly Secret[],
  headers: Headers,
  body: Buffer,
  now: number,
): SignedMessage | null {
  const [id, time, given] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) =>
    textOf(headers[name]),
  );
  const at = timeOf(time, now);
  if (id === undefined || id === '' || given === undefined || at === null) return null;
  const expected = webhookHeaders(keys, id, at, body).find(([name]) => name === 'webhook-signature')?.[1];
  const known = (expected ?? '').split(' ').filter((one) => one !== '');
  const isSigned = given
    .split(' ')
    .slice(0, limits.approvalSignaturesMax)
    .some((one) => known.some((other) => isSame(one, other)));
  return isSigned ? { name: `webhook ${id}`, at } : null;
}

/** Slack: `v0=` and the HMAC-SHA256, in hex, of `v0:time:body`. Like `webhookSigned`. */
export function slackSigned(
  secret: Secret,
  headers: Headers,
  body: Buffer,
  now: number,
): SignedMessage | null {
  const [time, given] = ['x-slack-request-timestamp', 'x-slack-signature'].map((name) =>
    textOf(headers[name]),
  );
  const at = timeOf(time, now);
  if (given === undefined || at === null) return null;
  const digest = createHmac('sha256', secret.bytes()).update(`v0:${time}:`).update(body).digest('hex');
  return isSame(given, `v0=${digest}`) ? { name: `slack ${given}`, at } : null;
}

const textOf = (value: Headers[string]): string | undefined =>
  typeof value === 'string' ? value : undefined;

/** @returns milliseconds since the Unix epoch; null for what is no time, or none of now */
function timeOf(seconds: string | undefined, now: number): number | null {
  if (seconds === undefined || !/^[1-9]\d{0,11}$/.test(seconds)) return null;
  const at = Number(seconds) * 1_000;
  return Math.abs(now - at) <= limits.approvalSignatureMs ? at : null;
}

function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** What was taken within the time in which it could come again. */
export class TakenMessages {
  readonly #taken = new Map<string, number>();

  /** @returns whether it is taken for the first time; false where there are too many to tell */
  take(message: string, now: number): boolean {
    for (const [known, at] of this.#taken) {
      // As long before now as after it: a signature may be of either.
      if (now - at > 2 * limits.approvalSignatureMs) this.#taken.delete(known);
    }
    if (this.#taken.has(message) || this.#taken.size >= limits.approvalTakenMax) return false;
    this.#taken.set(message, now);
    return true;
  }

  /** It did not count, and may come again. */
  forget(message: string): void {
    this.#taken.delete(message);
  }
}
