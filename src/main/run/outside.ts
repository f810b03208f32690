/**
 * What lies in a folder for programs outside of a cell to run: hooks and settings of git, of editors, of agents, of shells that
 * change into it. A command that could write these would run outside as soon as its user does. What is there is to be kept
 * read-only; a mount needs a place, so what is not there is looked for when the command has ended.
 *
 * It trusts no name and no text in such a folder, and follows no link.
 */
import { type BigIntStats, type Dirent, lstatSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { opendir } from 'node:fs/promises';
import { posix } from 'node:path';
import { limits } from '../../kernel/index.ts';

/** At the top of a folder, besides `.git`. */
const OUTSIDE_NAMES = (
  '.husky .githooks .pre-commit-config.yaml lefthook.yml .lefthook.yml lefthook.yaml .lefthook.yaml lefthook-local.yml ' +
  '.vscode .idea .zed .helix .devcontainer .devcontainer.json .exrc .vimrc .nvimrc .nvim.lua ' +
  '.envrc mise.toml .mise.toml mise.local.toml .mise.local.toml .mise .config/mise .config/mise.toml ' +
  '.mcp.json .claude .cursor .codex .gemini .qwen .opencode opencode.json opencode.jsonc .kiro .windsurf .roo .aider.conf.yml'
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
  const links = new Set<string>();
  for (const place of places) {
    const way = stepsTo(folder, place);
    if (way.some((path) => pins.get(path) === false)) continue;
    const link = way.find((path) => kindOf(path) === 'link');
    if (link !== undefined) links.add(link);
    else if (kindOf(place) !== null) {
      for (const path of way.slice(0, -1)) if (!pins.has(path)) pins.set(path, true);
      pins.set(place, false);
    }
  }
  const notes = [...links].map((link) => `${link} is a link: what it leads to is not kept from the command.`);
  const ordered = [...pins].map(([path, write]) => ({ path, write }));
  return { pins: ordered.toSorted((a, b) => (a.path < b.path ? -1 : 1)), places, notes };
}

/** What there is at such places, to be compared with what there is later. */
export interface Outside {
  /** At places that were asked for, and in them what has a further name, by which it could be written. */
  readonly top: ReadonlyMap<string, string>;
  /** In repositories further down, and what could hide one. */
  readonly deep: ReadonlyMap<string, string>;
  /** False when the folder holds more than is looked at. */
  readonly whole: boolean;
}

export async function lookOutside(folder: string, places: readonly string[]): Promise<Outside> {
  const [top, deep] = [new Map<string, string>(), new Map<string, string>()];
  const asked = new Set(places);
  for (const place of asked) mark(top, place);
  let left = limits.runEntriesMax;
  const list = async (path: string): Promise<readonly Dirent[]> => {
    const entries = await listUpTo(path, left + 1);
    // Its owner may go in all the same, by the names that are in there.
    if (entries === null) mark(deep, path);
    left -= entries?.length ?? 0;
    return entries ?? [];
  };
  for (let level = [folder]; level.length > 0 && left >= 0; ) {
    const below: string[] = [];
    for (const path of level) {
      const entries = await list(path);
      // Not by the name in the list: not every file system heeds its case.
      mark(deep, `${path}/.git`);
      const repository = isRepository(path);
      if (repository) {
        for (const part of GIT_PARTS.slice(1)) mark(deep, `${path}/${part}`);
        if (kindOf(`${path}/hooks`) === 'folder')
          for (const { name } of await list(`${path}/hooks`)) mark(deep, `${path}/hooks/${name}`);
      }
      const kept = isWithin(asked, path);
      for (const entry of entries) {
        const at = `${path}/${entry.name}`;
        if (entry.isSymbolicLink() && (repository || isInGit(path) || leadsToRepository(at))) mark(deep, at);
        // A name that is no text, which no path can be made of here.
        if (entry.isDirectory() && entry.name.includes('\u{fffd}')) deep.set(at, '');
        if (kept && entry.isFile() && (look(at)?.nlink ?? 1n) > 1n) mark(top, at);
        // Much, and nobody comes upon a repository in there but by a link.
        const skipped = isInGit(path) && GIT_STORES.includes(entry.name);
        if (entry.isDirectory() && !skipped) below.push(at);
      }
      if (left < 0) break;
    }
    level = below;
  }
  return { top, deep, whole: left >= 0 };
}

/** The same once more. What had a further name may have it no more. */
export const lookAgain = (folder: string, places: readonly string[], before: Outside): Promise<Outside> =>
  lookOutside(folder, [...places, ...before.top.keys()]);

/**
 * Never more than is wanted, whatever a command has put there.
 *
 * @returns null for what this user cannot list
 */
async function listUpTo(path: string, most: number): Promise<readonly Dirent[] | null> {
  const entries: Dirent[] = [];
  try {
    for await (const entry of await opendir(path, { bufferSize: 256 })) {
      entries.push(entry);
      if (entries.length >= most) break;
    }
  } catch {
    return look(path) === null ? [] : null;
  }
  return entries;
}

/** @returns what was made or changed in between, the outermost of each only */
export function madeBetween(before: Outside, after: Outside): readonly string[] {
  const differing = (kind: 'top' | 'deep'): string[] =>
    [...after[kind]].filter(([path, print]) => before[kind].get(path) !== print).map(([path]) => path);
  // What was left out at one time may have been seen at the other.
  const found = new Set([...differing('top'), ...(before.whole && after.whole ? differing('deep') : [])]);
  return [...found].filter((path) => !isWithin(found, posix.dirname(path)));
}

/** In as many steps as a path is deep: how many there are, a command decides. */
function isWithin(folders: ReadonlySet<string>, path: string): boolean {
  for (let at = path; at.length > 1; at = posix.dirname(at)) if (folders.has(at)) return true;
  return false;
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

const isInGit = (path: string): boolean => `${path}/`.includes('/.git/');

/** By such a link git comes to what is in none of the places where it is looked for. */
function leadsToRepository(link: string): boolean {
  try {
    // First what is quick: most lead to files.
    if (statSync(link, { throwIfNoEntry: false })?.isDirectory() !== true) return false;
    const real = realpathSync.native(link);
    return isInGit(real) || isRepository(real) || kindOf(`${real}/.git`) !== null;
  } catch {
    return false; // It leads in a circle, or to where this user may not go.
  }
}

/** Where the configurations of a work tree have its hooks; none when that is nowhere in the folder. */
function hooksOf(folder: string, git: string): readonly string[] {
  const said = configsOf(git).flatMap((config) => [...textOf(config).matchAll(HOOKS_PATH)]);
  return said
    .map(([, quoted, plain = '']) => posix.resolve(folder, quoted ?? plain.trim()))
    .filter((path) => path.startsWith(`${folder}/`));
}

const HOOKS_PATH = /^[ \t]*(?:\[core\][ \t]*)?hookspath[ \t]*=[ \t]*(?:"([^"\r\n]*)"|([^"#;\r\n]*))/gim;

/** With the repository itself, or where it says that they are when it is one more worktree or a submodule. */
function configsOf(git: string): readonly string[] {
  const [, elsewhere] = /^gitdir: (.+)$/m.exec(textOf(git)) ?? [];
  const own = elsewhere === undefined ? git : posix.resolve(posix.dirname(git), elsewhere);
  const common = posix.resolve(own, textOf(`${own}/commondir`).trim());
  return [`${common}/config`, `${own}/config.worktree`];
}

/** Empty for anything that is not a file of some reasonable size: a pipe would be waited for. */
function textOf(path: string): string {
  const stat = look(path);
  if (stat === null || !stat.isFile() || stat.size > limits.runGitConfigBytesMax) return '';
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // Not to be read by this user, and so not by git.
  }
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
    return lstatSync(path, { bigint: true, throwIfNoEntry: false }) ?? null;
  } catch {
    return null;
  }
}
