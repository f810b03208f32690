/**
 * Webhooks signed as Standard Webhooks describes it: HMAC-SHA256 over id, time and body. While a secret is replaced by
 * another, both sign. It never shows a secret, and the key leaves it only as a signature.
 */
import { createHmac } from 'node:crypto';
import { err, ok, type Result, Secret } from '../kernel/index.ts';

const PREFIX = 'whsec_';
/** The specification's bounds, in bytes. */
const KEY_BYTES_MIN = 24;
const KEY_BYTES_MAX = 64;
const KEYS_MAX = 2;

/**
 * The keys of a text with one `whsec_…` a line: the one in use, and while it is replaced the one before.
 *
 * @returns why it cannot be used, in words, without anything of it. The keys are the caller's, who destroys them
 */
export function readSigningKeys(text: Secret): Result<readonly Secret[], string> {
  const lines = text
    .reveal()
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  if (lines.length === 0) return err('it is empty');
  if (lines.length > KEYS_MAX) return err(`it has more than ${KEYS_MAX} lines`);
  const keys: Secret[] = [];
  for (const line of lines) {
    const key = keyOf(line);
    if (key === null) {
      for (const one of keys) one.destroy();
      return err(`a line is not ${PREFIX} and then ${KEY_BYTES_MIN} to ${KEY_BYTES_MAX} bytes in base64`);
    }
    keys.push(key);
  }
  return ok(keys);
}

function keyOf(line: string): Secret | null {
  if (!line.startsWith(PREFIX)) return null;
  const encoded = line.slice(PREFIX.length);
  const bytes = Buffer.from(encoded, 'base64');
  const isExact = bytes.toString('base64').replace(/=+$/, '') === encoded.replace(/=+$/, '');
  if (isExact && bytes.length >= KEY_BYTES_MIN && bytes.length <= KEY_BYTES_MAX)
    return Secret.fromBytes(bytes);
  bytes.fill(0);
  return null;
}

/**
 * @param id the same for every attempt
 * @param at milliseconds since the Unix epoch
 */
export function webhookHeaders(
  keys: readonly Secret[],
  id: string,
  at: number,
  body: Buffer,
): readonly (readonly [string, string])[] {
  const seconds = String(Math.floor(at / 1_000));
  const signatures = keys.map((key) =>
    createHmac('sha256', key.bytes()).update(`${id}.${seconds}.`).update(body).digest('base64'),
  );
  return [
    ['webhook-id', id],
    ['webhook-timestamp', seconds],
    ...(keys.length === 0
      ? []
      : [['webhook-signature', signatures.map((signature) => `v1,${signature}`).join(' ')] as const]),
  ];
}
