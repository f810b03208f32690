/** Everything that a server defines, asked of connections of its own: what a person is shown before agreeing to it. */
import { isAppError } from '../../kernel/index.ts';
import type { OpenUpstream } from '../upstream/open-upstream.ts';
import type { SeenDefinition } from '../ports/definitions.ts';
import { find, slice } from '../protocol/raw-json.ts';
import type { ListedDefinition } from '../upstream/tool-catalog.ts';
import { definitionHash } from './definition-hash.ts';
import { definitionKey } from './verdict.ts';

/** What stands for instructions where there are none: that some come later is a change. */
export const NOTHING = 'null';

/**
 * @param upstreams connections to the same server; what several of them show under one name is taken from the first
 * @throws AppError `upstream_…`
 */
export async function lookAt(upstreams: readonly OpenUpstream[]): Promise<readonly SeenDefinition[]> {
  const [first = [], ...others] = await Promise.all(upstreams.map(shownBy));
  const known = new Set(first.map(({ kind, name }) => definitionKey(kind, name)));
  return [...first, ...others.flat().filter(({ kind, name }) => !known.has(definitionKey(kind, name)))];
}

async function shownBy(upstream: OpenUpstream): Promise<readonly SeenDefinition[]> {
  const { hello } = upstream;
  const tools = hello.has('tools') ? await upstream.tools.list() : [];
  const prompts = hello.has('prompts') ? await promptsOf(upstream) : [];
  const said = hello.discoverText ?? hello.resultText;
  const span = find(said, 0, ['instructions']);
  const text = span === null ? NOTHING : slice(said, span);
  return [
    ...tools.map((tool) => seen('tool', tool)),
    ...prompts.map((prompt) => seen('prompt', prompt)),
    { kind: 'instructions', name: '', text, hash: definitionHash(text) },
  ];
}

const seen = (kind: 'tool' | 'prompt', { name, text, hash }: ListedDefinition): SeenDefinition => ({
  kind,
  name,
  text,
  hash,
});

/** Not every server that declares prompts has the method. */
async function promptsOf(upstream: OpenUpstream): Promise<readonly ListedDefinition[]> {
  try {
    return await upstream.prompts.list();
  } catch (error) {
    if (isAppError(error) && error.code === 'upstream_error') return [];
    throw error;
  }
}
