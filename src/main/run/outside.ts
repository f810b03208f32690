/**
 * What lies in a folder for programs outside of a cell to run: hooks and settings of git, of editors, of agents, of shells that
 * change into it. A command that could write these would run outside as soon as its user does. What is there is to be kept
 * read-only; a mount needs a place, so what is not there is looked for when the command has ended.
 *
 * It trusts no name and no text in such a folder, and follows no link.
 */
import { type BigIntStats, type Dirent, lstatSync, readFileSync, statSync } from 'node:fs';
import { opendir } from 'node:fs/promises';
import { posix } from 'node:path';
import { limits } from '../../kernel/index.ts';

/** At the top of a folder, besides `.git`. */
const OUTSIDE_NAMES = (
  '.envrc .mise.toml mise.toml .vscode .idea .zed .devcontainer .exrc .nvim.lua ' +
  '.mcp.json .claude .cursor .codex .gemini .husky .githooks .pre-commit-config.yaml lefthook.yml .lefthook.yml'
).split(' ');
/** In the folder of a repository. The last two say where its configuration is. */
const GIT_PARTS = ['hooks', 'config', 'config.worktree', 'commondir'];
const GIT_STORES = ['objects', 'refs', 'logs'];

/** A place that is mounted over itself: read-only, or with `write` only so that it cannot be moved away with what is in it. */
interface Pin {
  readonly path: string;
  readonly write: boolean;
}

export interface Guarded {
  /** Outer ones first. */
  readonly pins: readonly Pin[];
  /** Places at the top of the folder, whether or not there is anything. */
  readonly places: readonly string[];
  /** What the user should know, a sentence each. */
  readonly notes: readonly string[];
}

/** @param folder absolute, links resolved */
export function guardFolder(folder: string): Guarded {
  const git = `${folder}/.git`;
  // A command can make its folder look like a repository: that must not take the place of the one in there.
  const repositories = isRepository(folder) ? [folder, git] : [git];
  const places = [
    ...repositories.flatMap((at) =>
      kindOf(at) === 'folder' ? GIT_PARTS.map((part) => `${at}/${part}`) : [at],
    ),
    ...OUTSIDE_NAMES.map((name) => `${folder}/${name}`),
    ...repositories.flatMap((at) => hooksOf(folder, at)),
  ];
  const pins = new Map<string, boolean>();
  const notes: string[] = [];
  for (const place of places) {
    const way = stepsTo(folder, place);
    if (way.some((path) => pins.get(path) === false)) continue;
    const link = way.find((path) => kindOf(path) === 'link');
    if (link !== undefined) notes.push(`${link} is a link: what it leads to is not kept from the command.`);
    else if (kindOf(place) !== null) {
      for (const path of way.slice(0, -1)) if (!pins.has(path)) pins.set(path, true);
      pins.set(place, false);
    }
  }
  const ordered = [...pins].map(([path, write]) => ({ path, write }));
  return { pins: ordered.toSorted((a, b) => (a.path < b.path ? -1 : 1)), places, notes };
}

/** What there is at such places, to be compared with what there is later. */
export interface Outside {
  readonly top: ReadonlyMap<string, string>;
  /** In repositories further down. */
  readonly deep: ReadonlyMap<string, string>;
  /** False when the folder holds more than is looked at. */
  readonly whole: boolean;
}

export async function lookOutside(folder: string, places: readonly string[]): Promise<Outside> {
  const deep = new Map<string, string>();
  let left = limits.runEntriesMax;
  const list = async (path: string): Promise<readonly Dirent[]> => {
    const entries = await listUpTo(path, left + 1);
    left -= entries.length;
    return entries;
  };
  for (let level = [folder]; level.length > 0 && left >= 0; ) {
    const below: string[] = [];
    for (const path of level) {
      const entries = await list(path);
      if (entries.some(({ name }) => name === '.git')) mark(deep, `${path}/.git`);
      if (isRepository(path)) {
        for (const part of GIT_PARTS.slice(1)) mark(deep, `${path}/${part}`);
        for (const { name } of await list(`${path}/hooks`)) mark(deep, `${path}/hooks/${name}`);
      }
      // Git takes nothing for a repository that lies in there, and it is much.
      const inGit = `${path}/`.includes('/.git/');
      const folders = entries.filter(
        (entry) => entry.isDirectory() && !(inGit && GIT_STORES.includes(entry.name)),
      );
      below.push(...folders.map(({ name }) => `${path}/${name}`));
      if (left < 0) break;
    }
    level = below;
  }
  return { top: topOf(places), deep, whole: left >= 0 };
}

/** Never more than is wanted, whatever a command has put there. */
async function listUpTo(path: string, most: number): Promise<readonly Dirent[]> {
  const entries: Dirent[] = [];
  try {
    for await (const entry of await opendir(path, { bufferSize: 256 })) {
      entries.push(entry);
      if (entries.length >= most) break;
    }
  } catch {
    // It is gone, or nothing that this user can list.
  }
  return entries;
}

/** @returns what was made or changed in between, the outermost of each only */
export function madeBetween(before: Outside, after: Outside): readonly string[] {
  const differing = (kind: 'top' | 'deep'): string[] =>
    [...after[kind]].filter(([path, print]) => before[kind].get(path) !== print).map(([path]) => path);
  // What was left out at one time may have been seen at the other.
  const found = new Set([...differing('top'), ...(before.whole && after.whole ? differing('deep') : [])]);
  return [...found].filter((path) => ![...found].some((other) => path.startsWith(`${other}/`)));
}

function topOf(places: readonly string[]): ReadonlyMap<string, string> {
  const top = new Map<string, string>();
  for (const place of places) mark(top, place);
  return top;
}

/** No program without rights can choose a file's time of change. A folder's changes with every file in it that comes or goes. */
function mark(marks: Map<string, string>, path: string): void {
  const stat = look(path);
  if (stat !== null) marks.set(path, `${stat.ino} ${stat.isDirectory() ? '' : stat.ctimeNs}`);
}

/** As git knows one: its own folder, or that of one more worktree. */
const isRepository = (path: string): boolean =>
  kindOf(`${path}/HEAD`) !== null &&
  (kindOf(`${path}/objects`) !== null || kindOf(`${path}/commondir`) !== null);

/** Where its configuration has its hooks; none when that is nowhere in the folder. */
function hooksOf(folder: string, git: string): readonly string[] {
  const config = `${git}/config`;
  if (kindOf(config) !== 'file' || statSync(config).size > limits.runGitConfigBytesMax) return [];
  const [, said = ''] =
    /^[ \t]*hookspath[ \t]*=[ \t]*"?([^"\r\n]*?)"?[ \t]*$/im.exec(readFileSync(config, 'utf8')) ?? [];
  const path = posix.resolve(folder, said);
  return path.startsWith(`${folder}/`) ? [path] : [];
}

/** Every path from below a folder to a place in it. */
function stepsTo(folder: string, place: string): readonly string[] {
  const names = place.slice(folder.length + 1).split('/');
  return names.map((_, index) => [folder, ...names.slice(0, index + 1)].join('/'));
}

function kindOf(path: string): 'file' | 'folder' | 'link' | null {
  const stat = look(path);
  if (stat === null) return null;
  if (stat.isSymbolicLink()) return 'link';
  return stat.isDirectory() ? 'folder' : 'file';
}

function look(path: string): BigIntStats | null {
  try {
    return lstatSync(path, { bigint: true });
  } catch {
    return null;
  }
}
