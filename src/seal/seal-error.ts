/** The errors of this module, each with one code and one place that words it. */
import { AppError, limits } from '../kernel/index.ts';

/** The bytes are not an envelope of this version. */
export const malformed = (reason: string): AppError =>
  new AppError('seal_envelope_malformed', 'A stored value is not a sealed envelope.', {
    kind: 'failed',
    hint: 'The database was changed from outside or is damaged; restore it from a backup.',
    detail: { reason },
  });

export const suiteUnknown = (suite: number): AppError =>
  new AppError(
    'seal_suite_unknown',
    `A stored value is sealed with suite ${suite}, which this version does not know.`,
    {
      kind: 'failed',
      hint: 'The database was written by a newer Sallyport, or it is damaged.',
      detail: { suite },
    },
  );

/** Authentication failed: the bytes were changed, moved to another row, or sealed under another key of this name. */
export const tampered = (keyId: string): AppError =>
  new AppError('seal_tampered', 'A stored value was changed, or moved from another row, and does not open.', {
    kind: 'failed',
    hint: 'Restore the row from a backup, or set the credential again.',
    detail: { keyId },
  });

export const plaintextTooLong = (): AppError =>
  new AppError(
    'seal_plaintext_too_long',
    `A value of more than ${limits.sealPlaintextBytesMax} bytes cannot be sealed.`,
    {
      kind: 'invalid',
    },
  );

export const keyUnknown = (keyId: string): AppError =>
  new AppError(
    'seal_key_unknown',
    `A stored value is sealed with key ${keyId}, which is not among the keys at hand.`,
    {
      kind: 'failed',
      hint: 'The master key belongs to another database. Put back the master key file, or the variable, that it was sealed with.',
      detail: { keyId },
    },
  );

export const masterKeyMissing = (message: string, hint: string): AppError =>
  new AppError('seal_master_key_missing', message, { kind: 'failed', hint });

export const masterKeyUnwritable = (path: string, cause: unknown): AppError =>
  new AppError('seal_master_key_file_unwritable', `The master key file ${path} cannot be written.`, {
    kind: 'failed',
    hint: 'Its folder must exist and belong to the user who runs Sallyport, and the disk must not be full.',
    cause,
  });

export const masterKeyWrong = (message: string, keyId: string): AppError =>
  new AppError('seal_master_key_wrong', message, {
    kind: 'failed',
    hint: 'Put back an unchanged copy of the master key.',
    detail: { keyId },
  });
