/** A server by the text of its manifest. */
import { AppError } from '../kernel/index.ts';
import { type Manifest, parseManifest } from '../manifest/index.ts';
import { invalid } from './checked-manifest.ts';

/**
 * @param file for the reader of an error
 * @throws AppError `manifest_invalid`, `manifest_not_runnable`
 */
export function fromText(text: string, file: string): Manifest {
  const parsed = parseManifest(text, { file });
  if (parsed.errors.length > 0)
    throw invalid(parsed.errors, `Check it with \`sallyport manifest lint ${file}\`.`);
  if (parsed.manifest !== undefined) return parsed.manifest;
  throw new AppError(
    'manifest_not_runnable',
    parsed.obstacle?.message ?? 'This manifest names nothing that can run here.',
    {
      kind: 'invalid',
      hint: 'Write one of schema version 2 that names a package or a command.',
    },
  );
}
