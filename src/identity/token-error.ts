/**
 * The errors of tokens. Whoever presents a bad one always reads the same sentence, whatever is wrong with it: only
 * the code differs, and that is for the log and the audit. The door answers all of them with `unauthenticated`.
 */
import { AppError } from '../kernel/index.ts';

export type TokenRefusal = 'token_malformed' | 'token_unknown' | 'token_revoked' | 'token_expired';

export const tokenRefused = (code: TokenRefusal): AppError =>
  new AppError(code, 'The token is not valid.', {
    kind: 'unauthenticated',
    hint: 'Make a new one: `sallyport token create`.',
  });

export const tokenRateLimited = (): AppError =>
  new AppError('token_rate_limited', 'Too many tokens that are not valid came from this address.', {
    kind: 'limited',
    hint: 'Wait a minute, and correct the token in the configuration of the client.',
  });

export const tokenNotFound = (): AppError =>
  new AppError('token_not_found', 'There is no such token.', {
    kind: 'not_found',
    hint: '`sallyport token list` shows the tokens.',
  });

export const tokenDenied = (): AppError =>
  new AppError('token_denied', 'Tokens are made and revoked by people, not by agents.', { kind: 'denied' });

export const tokenInvalid = (message: string): AppError =>
  new AppError('token_invalid', message, { kind: 'invalid' });
