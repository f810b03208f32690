/**
 * What lies in a folder for programs outside of a cell to run: hooks and settings of git, of editors, of agents, of shells that
 * change into it. A command that could write these would run outside as soon as its user does. What is there is to be kept
 * read-only; a mount needs a place, so what is not there is looked for when the command has ended.
 *
 * It trusts no name and no text in such a folder, and follows no link.
 */
import { type BigIntStats, lstatSync, readFileSync, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { posix } from 'node:path';
import { limits } from '../../kernel/index.ts';

/** At the top of a folder, besides `.git`. */
export const OUTSIDE_NAMES = (
  '.envrc .mise.toml mise.toml .vscode .idea .zed .devcontainer .exrc .nvim.lua ' +
  '.mcp.json .claude .cursor .codex .gemini .husky .githooks .pre-commit-config.yaml lefthook.yml .lefthook.yml'
).split(' ');
/** In the folder of a repository. The last two say where its configuration is. */
const GIT_PARTS = ['hooks', 'config', 'config.worktree', 'commondir'];

/** A place that is mounted over itself: read-only, or with `write` only so that it cannot be moved away with what is in it. */
export interface Pin {
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
  const git = isRepository(folder) ? folder : `${folder}/.git`;
  const hooks = hooksOf(folder, git);
  const places = [
    ...(kindOf(git) === 'folder' ? GIT_PARTS.map((part) => `${git}/${part}`) : [git]),
    ...OUTSIDE_NAMES.map((name) => `${folder}/${name}`),
    ...(hooks === null ? [] : [hooks]),
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
  const note = (path: string): void => mark(deep, path);
  let seen = 0;
  for (let level = [folder]; level.length > 0; ) {
    const below: string[] = [];
    for (const path of level) {
      const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
      seen += entries.length;
      if (seen > limits.runEntriesMax) return { top: topOf(places), deep, whole: false };
      const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
      if (entries.some(({ name }) => name === '.git')) note(`${path}/.git`);
      if (!isRepository(path)) {
        below.push(...folders.map((name) => `${path}/${name}`));
        continue;
      }
      for (const part of GIT_PARTS.slice(1)) note(`${path}/${part}`);
      for (const hook of await readdir(`${path}/hooks`).catch(() => [])) note(`${path}/hooks/${hook}`);
      // Of submodules and further worktrees; the rest is git's own, and much.
      below.push(
        ...folders.filter((name) => /^(?:modules|worktrees)$/.test(name)).map((name) => `${path}/${name}`),
      );
    }
    level = below;
  }
  return { top: topOf(places), deep, whole: true };
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

/** Where its configuration has its hooks; null when that is nowhere in the folder. */
function hooksOf(folder: string, git: string): string | null {
  const config = `${git}/config`;
  if (kindOf(config) !== 'file' || statSync(config).size > limits.runGitConfigBytesMax) return null;
  const [, said = ''] =
    /^[ \t]*hookspath[ \t]*=[ \t]*"?([^"\r\n]*?)"?[ \t]*$/im.exec(readFileSync(config, 'utf8')) ?? [];
  const path = posix.resolve(folder, said);
  return path.startsWith(`${folder}/`) ? path : null;
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
