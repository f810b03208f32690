/** The manifests that come with the product: found by name or by words, and held to the same rules as any other. */
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { AppError } from '../kernel/index.ts';
import { readBytes } from './lint.ts';
import { parseManifest } from './parse-manifest.ts';
import type { Manifest } from './types.ts';

export interface CatalogEntry {
  readonly manifest: Manifest;
  readonly hash: string;
  readonly file: string;
}

export interface Catalog {
  /** Every entry, by name. */
  readonly entries: readonly CatalogEntry[];
  /** Entries that have all the words, in any case, in name, title, description, package, hosts or tools; the best first. */
  search(words: readonly string[]): readonly CatalogEntry[];
  /** The entry of this name. */
  show(name: string): CatalogEntry | undefined;
}

/**
 * Reads all `*.yaml` of a folder.
 *
 * @throws AppError `catalog_unreadable` when the folder cannot be read, `catalog_invalid` when a file has a
 * mistake or is not named after its server: a catalog with holes would fail later and less clearly
 */
export async function loadCatalog(folder: string): Promise<Catalog> {
  const files = await listFiles(folder);
  const entries = await Promise.all(files.map((file) => loadEntry(join(folder, file))));
  const byName = new Map(entries.map((entry) => [entry.manifest.name, entry]));
  return {
    entries,
    search: (words) => rank(entries, words),
    show: (name) => byName.get(name),
  };
}

async function listFiles(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).filter((file) => file.endsWith('.yaml')).sort();
  } catch (cause) {
    throw new AppError('catalog_unreadable', 'The catalog cannot be read.', {
      kind: 'failed',
      hint: 'Install Sallyport again; its catalog folder is missing.',
      detail: { folder },
      cause,
    });
  }
}

async function loadEntry(file: string): Promise<CatalogEntry> {
  const bytes = (await readBytes(file)) ?? new Uint8Array();
  const { manifest, hash, errors } = parseManifest(new TextDecoder().decode(bytes), { file });
  const named = manifest !== undefined && basename(file) === `${manifest.name}.yaml`;
  if (manifest !== undefined && hash !== undefined && named) return { manifest, hash, file };
  const [first] = errors;
  throw new AppError('catalog_invalid', `The catalog file ${basename(file)} cannot be used.`, {
    kind: 'failed',
    hint: `Run sallyport manifest lint ${file}.`,
    detail: { file, first: first === undefined ? 'the file is not named after its server' : first.code },
  });
}

/** How much a word says, by where it is found. */
const WEIGHTS = { name: 8, title: 4, description: 2, other: 1 } as const;

function rank(entries: readonly CatalogEntry[], words: readonly string[]): readonly CatalogEntry[] {
  const wanted = words.map((word) => word.toLowerCase()).filter((word) => word !== '');
  return entries
    .map((entry) => ({ entry, scores: wanted.map((word) => score(entry.manifest, word)) }))
    .filter(({ scores }) => scores.every((value) => value > 0))
    .toSorted(
      (left, right) =>
        total(right.scores) - total(left.scores) ||
        (left.entry.manifest.name < right.entry.manifest.name ? -1 : 1),
    )
    .map(({ entry }) => entry);
}

const total = (scores: readonly number[]): number => scores.reduce((sum, value) => sum + value, 0);

function score({ name, title, description, server, egress, tools }: Manifest, word: string): number {
  const has = (text: string | undefined): boolean => text?.toLowerCase().includes(word) ?? false;
  const other = [
    server.kind === 'sandboxed' ? server.package : undefined,
    ...egress.map((rule) => rule.host),
    ...(tools?.default ?? []),
  ];
  return (
    (name === word ? 2 * WEIGHTS.name : has(name) ? WEIGHTS.name : 0) +
    (has(title) ? WEIGHTS.title : 0) +
    (has(description) ? WEIGHTS.description : 0) +
    (other.some(has) ? WEIGHTS.other : 0)
  );
}
