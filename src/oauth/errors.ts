/** Every way in which a login or its renewal fails, with what to do about it. */
import { AppError } from '../kernel/index.ts';
import type { AddressFault } from './addresses.ts';

const FAULTS: Readonly<Record<AddressFault, string>> = {
  not_an_address: 'it is no address',
  not_https: 'it is not https',
  not_public: 'it is of this machine or network, and the server is not',
  with_credentials: 'there are credentials in it',
  with_fragment: 'there is a fragment in it',
  with_query: 'there is a query in it',
};

export const loginNeeded = (slug: string, why: string): AppError =>
  new AppError('oauth_login_needed', `\`${slug}\` needs a login: ${why}.`, {
    kind: 'denied',
    hint: `Whoever runs the gateway logs in: sallyport server login ${slug}`,
  });

export const scopeNeeded = (slug: string, scopes: readonly string[]): AppError =>
  new AppError('oauth_scope_needed', `\`${slug}\` wants more than was granted: ${shown(scopes.join(' '))}.`, {
    kind: 'denied',
    hint: `Whoever runs the gateway may agree to it: sallyport server login ${slug}`,
  });

export const scopeRefused = (slug: string, why: string): AppError =>
  new AppError('oauth_scope_refused', `\`${slug}\` wants more than was granted, and ${why}.`, {
    kind: 'denied',
    hint: 'Look at what the account may do there. Another login does not help by itself.',
  });

export const refreshFailed = (slug: string, why: string): AppError =>
  new AppError('oauth_refresh_failed', `The login of \`${slug}\` could not be renewed: ${why}.`, {
    kind: 'unavailable',
    hint: 'Try again in a while.',
  });

export const notFound = (what: string, hint: string): AppError =>
  new AppError('oauth_not_offered', what, { kind: 'failed', hint });

export const addressRefused = (what: string, text: string, fault: AddressFault): AppError =>
  new AppError('oauth_address_refused', `${what}, ${shown(text)}, is not used: ${FAULTS[fault]}.`, {
    kind: 'denied',
    hint: 'It is the server that has to be set up rightly.',
  });

export const metadataInvalid = (where: string, why: string): AppError =>
  new AppError('oauth_metadata_invalid', `What ${where} says of itself cannot be used: ${why}.`, {
    kind: 'unavailable',
    hint: 'It is the server that has to be set up rightly.',
  });

export const resourceMismatch = (resource: string, server: string): AppError =>
  new AppError(
    'oauth_resource_mismatch',
    `What was said of ${server} is about another server: ${shown(resource)}.`,
    {
      kind: 'denied',
      hint: 'A token for it would be good elsewhere, so none is asked for.',
    },
  );

export const issuerMismatch = (expected: string, said: string | null): AppError =>
  new AppError(
    'oauth_issuer_mismatch',
    said === null
      ? `The answer does not say that it is from ${expected}, which always says so.`
      : `The answer is from ${shown(said)}, and not from ${expected}.`,
    { kind: 'denied', hint: 'Nothing was sent to either. Somebody may have swapped them: begin anew.' },
  );

export const issuerChanged = (slug: string, before: string, now: string): AppError =>
  new AppError(
    'oauth_issuer_changed',
    `\`${slug}\` was logged in at ${before}, and now names ${shown(now)} for that.`,
    { kind: 'denied', hint: 'Add --accept-issuer if you know why.' },
  );

export const stateUnknown = (): AppError =>
  new AppError(
    'oauth_state_unknown',
    'No login waits for this answer: it was used, is too old, or not ours.',
    {
      kind: 'denied',
      hint: 'Begin anew: sallyport server login SERVER',
    },
  );

/** RFC 6749 section 5.2: what an error's name may be made of. */
const NAME = /^[\x20-\x21\x23-\x5b\x5d-\x7e]{1,100}$/;
export const errorName = (text: string | null): string =>
  text !== null && NAME.test(text) ? text : 'an error without a name';

/** What somebody else wrote, short and in one line. */
export function shown(text: string): string {
  const plain = text.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, '\uFFFD');
  return plain.length <= 200 ? plain : `${plain.slice(0, 200)}…`;
}
