/** A server by the text of its manifest. */
import { AppError } from '../kernel/index.ts';
import { type Companion, type Manifest, parseManifest, parseToolSpec } from '../manifest/index.ts';
import { invalid } from './checked-manifest.ts';
import { toolSpecBeside } from './document-source.ts';
import type { AddServer } from './server-schemas.ts';

/**
 * @param documents files beside it, by name
 * @param file for the reader of an error
 * @throws AppError `manifest_invalid`, `manifest_not_runnable`
 */
export function fromText(text: string, file: string, documents: AddServer['documents'] = {}): Manifest {
  const companion = companionIn(documents, file);
  const parsed = parseManifest(text, { file, ...(companion === undefined ? {} : { companion }) });
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

/** The toolspec beside a manifest of version 1. */
function companionIn(documents: NonNullable<AddServer['documents']>, source: string): Companion | undefined {
  const file = toolSpecBeside(source);
  const text = documents[file];
  const spec = text === undefined ? undefined : parseToolSpec(text, { file }).toolspec;
  return spec === undefined ? undefined : { spec, file };
}
