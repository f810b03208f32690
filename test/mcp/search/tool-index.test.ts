/** What searches find: labelled queries over realistic catalogues, alone and among hundreds of other tools. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseBase, readOpenApi, takenBy, toolsFromOpenApi } from '../../../src/http-api/index.ts';
import { type Indexed, ToolIndex } from '../../../src/mcp/search/tool-index.ts';
import { asListed } from '../../../src/mcp/upstream/tool-catalog.ts';
import { anyText } from './any-text.ts';
import { CATALOGUES, QUERIES } from './catalogues.ts';

const TOP = 5;
const usual = Object.entries(CATALOGUES).map(
  ([slug, tools]): Indexed => ({ slug, title: null, tools: asListed(tools) }),
);

/** The operations of a published API as tools, described by those who published it. */
function published(slug: string, file: string): Indexed {
  const read = readOpenApi(readFileSync(createRequire(import.meta.url).resolve(file), 'utf8'));
  const base = parseBase('https://api.example.com');
  if (!read.ok || !base.ok) throw new Error(`${file} cannot be read`);
  const made = toolsFromOpenApi(read.value, { filter: {}, base: base.value, taken: takenBy([]) });
  if (!made.ok) throw new Error(made.error.message);
  const tools = made.value.tools.map(({ name, definition }) => ({ name, text: definition, hash: '' }));
  return { slug, title: null, tools: asListed(tools) };
}

const names = (index: ToolIndex, query: string, slug: string | null = null): string[] =>
  index.rank(query, slug).map((hit) => `${hit.slug}__${hit.tool.name}`);

const missed = (index: ToolIndex): string[] =>
  QUERIES.filter(([query, ...expected]) => {
    const found = names(index, query).slice(0, TOP);
    return !expected.some((name) => found.includes(name));
  }).map(([query]) => query);

describe('queries over four servers', () => {
  let index: ToolIndex;
  beforeAll(async () => {
    index = await ToolIndex.of(usual);
  });

  it('ask for tools that are there', () => {
    const there = new Set(usual.flatMap(({ slug, tools }) => tools.map(({ name }) => `${slug}__${name}`)));
    for (const [, ...expected] of QUERIES) for (const name of expected) expect(there).toContain(name);
    expect(QUERIES).toHaveLength(60);
  });

  it('find one that answers them among the first five, but for two', () => {
    expect(missed(index)).toEqual(['file a bug report', 'git log']);
  });

  it('find it at once for 47 of 60', () => {
    const first = QUERIES.filter(([query, ...expected]) => expected.includes(names(index, query)[0] ?? ''));
    expect(first.length).toBeGreaterThanOrEqual(47);
  });

  it('find it among 387 tools of two published APIs as well, but for the same two', async () => {
    const many = [...usual, published('netlify', '@netlify/open-api')];
    many.push(published('directus', '../../../node_modules/@directus/openapi/dist/oas.json'));
    expect(many.reduce((sum, { tools }) => sum + tools.length, 0)).toBe(56 + 387);
    expect(missed(await ToolIndex.of(many))).toEqual(['file a bug report', 'git log']);
  });

  it('by the name of a tool find that one first', () => {
    for (const { slug, tools } of usual)
      for (const { name } of tools) expect(names(index, ` ${name} `)[0]).toBe(`${slug}__${name}`);
  });

  it('for one server find only its tools, and without words all of them', () => {
    for (const query of ['list', 'create a file', ''])
      for (const name of names(index, query, 'slack')) expect(name).toMatch(/^slack__/);
    expect(names(index, '', 'slack')).toHaveLength(8);
    expect(names(index, 'the, of a?')).toHaveLength(56);
    expect(names(index, 'list', 'nobody')).toEqual([]);
  });

  it('find nothing where nothing fits', () => {
    expect(names(index, 'zzzz qqqq')).toEqual([]);
    expect(names(index, 'constructor __proto__')).toEqual([]);
  });

  it('come to an end however long they are, and are told apart by what counts of them', () => {
    fc.assert(
      fc.property(anyText(3_000), (query) => {
        expect(new Set(names(index, query)).size).toBe(names(index, query).length);
      }),
      { numRuns: 50 },
    );
    expect(names(index, `${'zzzz '.repeat(200)}merge`)).toEqual([]);
    expect(names(index, `${'zzzz '.repeat(199)}merge`)[0]).toBe('github__merge_pull_request');
  });
});

describe('definitions', () => {
  const indexOf = (...definitions: object[]): Promise<ToolIndex> => {
    const tools = definitions.map((definition, at) => {
      const text = JSON.stringify({ name: `t${at}`, ...definition });
      return { name: `t${at}`, text, hash: '' };
    });
    return ToolIndex.of([{ slug: 's', title: 'Warehouse', tools: asListed(tools) }]);
  };

  it('are found by each of their parts', async () => {
    const nested = { type: 'object', properties: { pallet: { type: 'string', description: 'Of wood' } } };
    const index = await indexOf(
      { title: 'Marmalade' },
      { annotations: { title: 'Umbrella' } },
      { description: 'Counts penguins.' },
      { inputSchema: { properties: { lorry: { description: 'With a trailer' }, load: nested } } },
      { inputSchema: { properties: { all: { type: 'array', items: nested } } } },
    );
    expect(names(index, 'marmalade')).toEqual(['s__t0']);
    expect(names(index, 'umbrellas')).toEqual(['s__t1']);
    expect(names(index, 'count penguin')).toEqual(['s__t2']);
    expect(names(index, 'lorry')).toEqual(['s__t3']);
    expect(names(index, 'trailer')).toEqual(['s__t3']);
    expect(names(index, 'pallets').toSorted()).toEqual(['s__t3', 's__t4']);
    expect(names(index, 'warehouse')).toHaveLength(5);
    expect(names(index, 'penguni')).toEqual(['s__t2']);
  });

  it('of any shape do no harm', async () => {
    const deep = JSON.parse(`${'{"properties":{"a":'.repeat(2_000)}1${'}}'.repeat(2_000)}`) as object;
    const wide = Object.fromEntries(Array.from({ length: 5_000 }, (_, at) => [`p${at}`, {}]));
    const index = await indexOf(
      { inputSchema: deep },
      { inputSchema: { properties: wide } },
      { inputSchema: 7, description: ['walrus'], title: null, annotations: 'x' },
      { inputSchema: { properties: ['walrus'], items: [{}] } },
      { description: `${'word '.repeat(1_000)}walrus` },
      JSON.parse('{"inputSchema":{"properties":{"__proto__":{"description":"heron"}}}}') as object,
    );
    expect(names(index, 'walrus')).toEqual([]);
    expect(names(index, 'p99')).toEqual(['s__t1']);
    expect(names(index, 'p100')).toEqual([]);
    expect(names(index, 'heron')).toEqual(['s__t5']);
  });
});
