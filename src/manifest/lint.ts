/**
 * Lint: one verdict per file, for manifests of both versions and toolspecs. A version 1 manifest and the
 * toolspec beside it (`X.yaml`, `X.toolspec.yaml`) are checked together whichever of the two is given.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { basename } from 'node:path';
import { limits } from '../kernel/index.ts';
import { looksLikeToolSpec, type ParsedToolSpec, parseManifest, parseToolSpec } from './parse-manifest.ts';
import type { ManifestError } from './report.ts';

/** What `sallyport manifest lint --json` prints for a file. */
export interface LintResult {
  readonly file: string;
  readonly ok: boolean;
  readonly errors: readonly ManifestError[];
  readonly warnings: readonly ManifestError[];
  /** SHA-256 in hex; null when the content could not be read. */
  readonly hash: string | null;
}

/** A file's bytes; null when there is no such file. @throws what the file system throws otherwise */
export type ReadBytes = (file: string) => Promise<Uint8Array | null>;

/** Reads at most what `parseManifest` would accept, and one byte more so that it can say no. */
export const readBytes: ReadBytes = async (file) => {
  let handle: FileHandle;
  try {
    handle = await open(file);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
  try {
    const bytes = Buffer.alloc(limits.manifestBytesMax + 1);
    let length = 0;
    // A pipe gives less than was asked for before it ends, and some files never end.
    for (let read = -1; read !== 0 && length < bytes.length; length += read) {
      ({ bytesRead: read } = await handle.read(bytes, length, bytes.length - length));
    }
    return bytes.subarray(0, length);
  } finally {
    await handle.close();
  }
};

/** Checks files in the given order. Never throws for what is wrong with a file. */
export async function lintFiles(
  files: readonly string[],
  read: ReadBytes = readBytes,
): Promise<readonly LintResult[]> {
  const given = new Set(files);
  return Promise.all(files.map((file) => lintFile(file, given, read)));
}

async function lintFile(file: string, given: ReadonlySet<string>, read: ReadBytes): Promise<LintResult> {
  const text = await readText(file, read);
  if (typeof text !== 'string') return { file, ok: false, errors: [text], warnings: [], hash: null };
  const manifestName = manifestBeside(file);
  if (manifestName !== undefined || looksLikeToolSpec(text))
    return lintToolSpec(file, text, manifestName, read);
  return lintManifest(file, text, given, read);
}

async function lintManifest(
  file: string,
  text: string,
  given: ReadonlySet<string>,
  read: ReadBytes,
): Promise<LintResult> {
  const parsed = parseManifest(text, { file });
  if (parsed.version === 2) return verdict(file, parsed, [], []);
  const beside = await companionOf(file, read);
  // Given by name too, the toolspec gets a verdict of its own, with the pair in it.
  if (beside === undefined || given.has(beside.file)) return verdict(file, parsed, [], []);
  const { toolspec } = beside;
  const pair = parsed.original === undefined ? [] : toolspec.pair(parsed.original);
  return verdict(file, parsed, [...toolspec.errors, ...pair], toolspec.warnings);
}

async function lintToolSpec(
  file: string,
  text: string,
  manifestName: string | undefined,
  read: ReadBytes,
): Promise<LintResult> {
  const toolspec = parseToolSpec(text, { file });
  if (manifestName === undefined) return verdict(file, toolspec, [], []);
  const manifestText = await readText(manifestName, read);
  if (typeof manifestText !== 'string') {
    const alone = {
      ...placeless(file),
      code: 'toolspec_without_manifest',
      message: `there is no ${basename(manifestName)} beside it`,
      expected: 'the manifest whose tools it maps',
    };
    return verdict(file, toolspec, [], [alone]);
  }
  const manifest = parseManifest(manifestText, { file: manifestName });
  return verdict(
    file,
    toolspec,
    manifest.original === undefined ? manifest.errors : toolspec.pair(manifest.original),
    [],
  );
}

function verdict(
  file: string,
  own: { errors: readonly ManifestError[]; warnings: readonly ManifestError[]; hash?: string },
  errors: readonly ManifestError[],
  warnings: readonly ManifestError[],
): LintResult {
  const all = [...own.errors, ...errors];
  return {
    file,
    ok: all.length === 0,
    errors: all,
    warnings: [...own.warnings, ...warnings],
    hash: own.hash ?? null,
  };
}

const EXTENSIONS = ['.yaml', '.yml', '.json'];
const TOOLSPEC = '.toolspec';

/** `X.yaml` for `X.toolspec.yaml`; undefined for a file that is not named as a toolspec. */
function manifestBeside(file: string): string | undefined {
  const extension = EXTENSIONS.find((candidate) => file.endsWith(TOOLSPEC + candidate));
  return extension === undefined
    ? undefined
    : file.slice(0, -(TOOLSPEC.length + extension.length)) + extension;
}

/** The toolspec beside a manifest. */
export async function companionOf(
  file: string,
  read: ReadBytes = readBytes,
): Promise<{ file: string; toolspec: ParsedToolSpec } | undefined> {
  const extension = EXTENSIONS.find((candidate) => file.endsWith(candidate));
  if (extension === undefined) return undefined;
  const beside = file.slice(0, -extension.length) + TOOLSPEC + extension;
  const text = await readText(beside, read);
  return typeof text === 'string'
    ? { file: beside, toolspec: parseToolSpec(text, { file: beside }) }
    : undefined;
}

/** A file's text, or the finding that says why there is none. */
async function readText(file: string, read: ReadBytes): Promise<string | ManifestError> {
  let bytes: Uint8Array | null;
  try {
    bytes = await read(file);
  } catch (error) {
    return unreadable(
      file,
      error instanceof Error && 'code' in error
        ? `it cannot be read (${String(error.code)})`
        : 'it cannot be read',
    );
  }
  if (bytes === null) return unreadable(file, 'there is no such file');
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch {
    return {
      ...placeless(file),
      code: 'manifest_encoding',
      message: 'the file is not UTF-8',
      expected: 'text in UTF-8',
    };
  }
}

const placeless = (file: string) => ({ file, line: 1, column: 1, field: '' }) as const;

const unreadable = (file: string, message: string): ManifestError => ({
  ...placeless(file),
  code: 'manifest_file_unreadable',
  message,
  expected: 'a file that can be read',
});
