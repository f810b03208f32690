/** Manifests that were made or changed here: every rule holds for them that holds for a file. */
import { AppError } from '../kernel/index.ts';
import { checked, type Manifest, type ManifestError, renderFinding } from '../manifest/index.ts';

export const invalid = (findings: readonly ManifestError[], hint: string): AppError =>
  new AppError('manifest_invalid', `The manifest is not valid:\n${findings.map(renderFinding).join('\n')}`, {
    kind: 'invalid',
    hint,
  });

/** A manifest that was put together here, with every rule applied to it that applies to a file. */
export function complete(manifest: Manifest): Manifest {
  const result = checked(manifest);
  if (result.ok) return result.value;
  throw invalid(result.error, 'Correct the options, or write a manifest file.');
}
