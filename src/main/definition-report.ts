/** What is known of a server's definitions, as an operator gets to see it. Pure. */
import { createHash } from 'node:crypto';
import type { Definition, DefinitionReport } from '../api/index.ts';
import { limits } from '../kernel/index.ts';
import { definitionKey, type DefinitionKind, nameSkeleton, reviewDefinition } from '../mcp/index.ts';
import type { DefinitionRecord } from '../store/index.ts';

type Place = Pick<DefinitionRecord, 'kind' | 'name'>;

export const keyOf = ({ kind, name }: Place): string => definitionKey(kindOf({ kind }), name);

/** Written by the front, whose kinds these are. */
const kindOf = ({ kind }: Pick<DefinitionRecord, 'kind'>): DefinitionKind =>
  kind === 'prompt' || kind === 'instructions' ? kind : 'tool';

/** That a server gives no instructions. */
export const isNothing = ({ kind, text }: Pick<DefinitionRecord, 'kind' | 'text'>): boolean =>
  kind === 'instructions' && text === 'null';

interface Known {
  readonly server: string;
  readonly records: readonly DefinitionRecord[];
  /** What the server offers now; null where it was not asked. */
  readonly listed: readonly Place[] | null;
  /** Tools of other servers. */
  readonly others: readonly { readonly server: string; readonly name: string }[];
}

export function definitionReport({ server, records, listed, others }: Known): DefinitionReport {
  const approved = new Map(
    records.filter(({ state }) => state === 'approved').map((one) => [keyOf(one), one]),
  );
  const offered = listed === null ? null : new Set(listed.map(keyOf));
  const own = records.filter(({ kind }) => kind === 'tool').map(({ name }) => ({ server, name }));
  const alike = bySkeleton([...own, ...others]);
  const definitions = records
    .filter((one) => one.state !== 'approved' || !isNothing(one))
    .map((one): Definition => {
      const before = one.state === 'approved' ? undefined : approved.get(keyOf(one));
      const review = reviewDefinition(one.text, before?.text ?? null);
      return {
        kind: kindOf(one),
        name: one.name,
        state: stateOf(one, before !== undefined, offered),
        hash: one.hash,
        summary: review.summary,
        readOnly: review.readOnly,
        characters: [...review.characters],
        instructions: [...review.instructions],
        alike: one.kind === 'tool' ? alikeTo(one.name, alike) : [],
        changes: [...review.changes],
      };
    });
  const waiting = records.filter(({ state }) => state === 'pending');
  return {
    server,
    looked: approved.size > 0,
    problem: null,
    definitions,
    fingerprint: fingerprint(waiting.map((one) => `${keyOf(one)} ${one.hash}`)),
  };
}

function stateOf(
  { state, kind, name }: DefinitionRecord,
  hasApproved: boolean,
  offered: ReadonlySet<string> | null,
): Definition['state'] {
  if (state === 'rejected') return 'rejected';
  if (state === 'pending') return hasApproved ? 'changed' : 'new';
  return offered === null || offered.has(keyOf({ kind, name })) ? 'approved' : 'gone';
}

/** Tools by what their names look like. */
type Alike = ReadonlyMap<string, Known['others']>;

const bySkeleton = (all: Known['others']): Alike => Map.groupBy(all, ({ name }) => nameSkeleton(name));

function alikeTo(name: string, known: Alike): string[] {
  const alike = (known.get(nameSkeleton(name)) ?? []).filter((other) => other.name !== name);
  return [...new Set(alike.map((other) => `${other.server}: ${other.name}`))].slice(
    0,
    limits.definitionFindingsMax,
  );
}

const fingerprint = (lines: readonly string[]): string =>
  createHash('sha256').update(lines.toSorted().join('\n')).digest('hex').slice(0, 12);
