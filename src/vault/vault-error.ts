/** The errors of the vault. None names a value, or says whether one exists that the caller may not know of. */
import { AppError, limits } from '../kernel/index.ts';
import type { CredentialRef } from './types.ts';

export const denied = (message: string): AppError =>
  new AppError('vault_denied', message, {
    kind: 'denied',
    hint: 'Ask an owner or admin of the workspace.',
  });

export const credentialMissing = ({ serverSlug, name }: CredentialRef): AppError =>
  new AppError('vault_credential_missing', `No value is set for \`${name}\` of \`${serverSlug}\`.`, {
    kind: 'not_found',
    hint: `sallyport secret set ${serverSlug} ${name}`,
  });

/** @param found what is wrong, for the log and the audit */
export const rolledBack = ({ serverSlug, name }: CredentialRef, found: string): AppError =>
  new AppError(
    'vault_rolled_back',
    `The stored value for \`${name}\` of \`${serverSlug}\` is not the one that was stored last.`,
    {
      kind: 'failed',
      hint: `Find out who writes to the database, then set it again: sallyport secret set ${serverSlug} ${name}`,
      detail: { found },
    },
  );

export const foreignRow = ({ serverSlug, name }: CredentialRef, found: string): AppError =>
  new AppError(
    'seal_tampered',
    `The stored value for \`${name}\` of \`${serverSlug}\` was changed outside of Sallyport.`,
    {
      kind: 'failed',
      hint: `Find out who writes to the database, then set it again: sallyport secret set ${serverSlug} ${name}`,
      detail: { found },
    },
  );

export const valueInvalid = (message: string): AppError =>
  new AppError('vault_value_invalid', message, { kind: 'invalid' });

export const slotInvalid = (what: string): AppError =>
  new AppError('vault_slot_invalid', `This is no name for ${what}.`, {
    kind: 'invalid',
    hint: `It has 1 to ${limits.credentialNameCharsMax} characters of well-formed Unicode.`,
  });

export const vaultFull = (credentialsMax: number): AppError =>
  new AppError('vault_full', `A workspace holds at most ${credentialsMax} credentials.`, { kind: 'limited' });

/** The whole list of credentials went back while this process was running. */
export const indexRolledBack = (seen: number, found: number): AppError =>
  new AppError('vault_rolled_back', 'The stored credentials were put back to an older state.', {
    kind: 'failed',
    hint: 'If you restored a backup on purpose, restart Sallyport.',
    detail: { seen, found },
  });
