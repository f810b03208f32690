/** Names in rules held against what there is: a rule about a tool that nobody has protects nothing, and nobody notices. */
import { type Cursor, type Fields, nearest, refuse, type Report } from '../../manifest/index.ts';
import type { Condition } from './condition.ts';
import { matchName } from './patterns.ts';
import type { Match } from './types.ts';

export interface KnownTool {
  readonly name: string;
  /** Arguments that its definition declares; null: it leaves open which there are. */
  readonly argumentNames: readonly string[] | null;
}

/** The tools of each server by its slug; null: nobody has asked it yet. */
export type KnownThings = ReadonlyMap<string, readonly KnownTool[] | null>;

interface Named {
  /** Of the rule. */
  readonly fields: Fields;
  readonly match: Match;
  readonly when: Condition | null;
}

export function refuseUnknownNames(known: KnownThings, { fields, match, when }: Named, report: Report): void {
  const written = fields.get('match') ?? fields.get('with') ?? fields.get('id');
  const servers = [...known.keys()];
  const equal = (path: string): readonly string[] =>
    (when?.equalities ?? []).filter((one) => one.path === path).map((one) => String(JSON.parse(one.value)));
  if (written === undefined) return;
  for (const pattern of [...(match.servers ?? []), ...equal('call.server')]) {
    if (servers.some((slug) => matchName(pattern, slug))) continue;
    unknown(place(written, 'servers'), { kind: 'server', name: pattern, candidates: servers }, report);
  }
  const covered = servers.filter(
    (slug) => match.servers?.some((pattern) => matchName(pattern, slug)) ?? true,
  );
  // None of those that it names is there, which was said.
  if (match.servers !== undefined && covered.length === 0) return;
  const tools = covered.map((slug) => known.get(slug) ?? null);
  // What a server that nobody asked yet has is not known.
  if (tools.includes(null)) return;
  const all = tools.flatMap((list) => list ?? []);
  const names = [...new Set(all.map(({ name }) => name))];
  for (const pattern of [...(match.tools ?? []), ...equal('call.tool')]) {
    if (names.some((name) => matchName(pattern, name))) continue;
    unknown(place(written, 'tools'), { kind: 'tool', name: pattern, candidates: names }, report);
  }
  refuseUnknownArguments(all, { fields, match, when }, report);
}

/** A misspelt argument is one that nobody ever sends. Only where the rule says which tools it is about, and all of them say what they take. */
function refuseUnknownArguments(
  tools: readonly KnownTool[],
  { fields, match, when }: Named,
  report: Report,
): void {
  const about = tools.filter(({ name }) => match.tools?.some((pattern) => matchName(pattern, name)) === true);
  if (when === null || about.length === 0 || about.some(({ argumentNames }) => argumentNames === null))
    return;
  const known = [...new Set(about.flatMap(({ argumentNames }) => argumentNames ?? []))];
  const written = fields.get('when') ?? fields.get('with') ?? fields.get('template');
  // A template looks at every argument that may be meant: it is enough that there is one of them.
  const isTemplate = fields.get('template') !== undefined;
  if (isTemplate && known.some((name) => when.argumentNames.has(name))) return;
  for (const name of when.argumentNames) {
    if (written === undefined || known.includes(name)) continue;
    unknown(written, { kind: 'argument', name, candidates: known }, report);
  }
}

function place(written: Cursor, key: string): Cursor {
  const node = written.node.kind === 'map' ? written.node.entries.get(key)?.value : undefined;
  return node === undefined ? written : { node, path: `${written.path}.${key}` };
}

function unknown(
  cursor: Cursor,
  { kind, name, candidates }: { kind: string; name: string; candidates: readonly string[] },
  report: Report,
): void {
  const near = nearest(name, candidates);
  const shown = candidates.slice(0, SHOWN).join(', ');
  const more = candidates.length > SHOWN ? ` and ${candidates.length - SHOWN} more` : '';
  refuse(
    cursor,
    {
      code: `policy_unknown_${kind}`,
      message: `there is no ${kind} ${JSON.stringify(name)}${near === undefined ? '' : `; did you mean ${JSON.stringify(near)}?`}`,
      expected: candidates.length === 0 ? `a ${kind} that is there` : `one of ${shown}${more}`,
    },
    report,
  );
}

const SHOWN = 20;
