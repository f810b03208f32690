/** Everything that a server defines, asked of a connection of its own: what a person is shown before agreeing to it. */
import { isAppError } from '../../kernel/index.ts';
import type { SeenDefinition } from '../ports.ts';
import { find, slice } from '../raw-json.ts';
import type { ListedDefinition } from '../tool-catalog.ts';
import type { OpenUpstream } from '../upstream-directory.ts';
import { definitionHash } from './definition-hash.ts';

/** What stands for instructions where there are none: that some come later is a change. */
const NONE = 'null';

/** @throws AppError `upstream_…` */
export async function lookAt(upstream: OpenUpstream): Promise<readonly SeenDefinition[]> {
  const { hello } = upstream;
  const tools = hello.has('tools') ? await upstream.tools.list() : [];
  const prompts = hello.has('prompts') ? await promptsOf(upstream) : [];
  const said = hello.discoverText ?? hello.resultText;
  const span = find(said, 0, ['instructions']);
  const text = span === null ? NONE : slice(said, span);
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
