/**
 * Lets through what somebody agreed to. What differs is noted and withheld, each time anew: a server may change what it
 * says at any moment, and a decision may come at any moment.
 */
import { AppError, type WorkspaceId } from '../../kernel/index.ts';
import type { DefinitionKind, Definitions, PinVerdict, SeenDefinition } from '../ports.ts';

/** Whose definitions they are. */
export interface PinnedServer {
  readonly workspace: WorkspaceId;
  readonly slug: string;
}

/** A definition whose hash is computed when somebody wants it. */
export type Definition = Pick<SeenDefinition, 'name' | 'text' | 'hash'>;

export class Pins {
  readonly #definitions: Definitions;

  constructor(definitions: Definitions) {
    this.#definitions = definitions;
  }

  /**
   * Of what a server lists, what was agreed to.
   *
   * @throws AppError `definitions_unapproved` where nobody has looked at this server yet
   */
  async kept<Listed extends Definition>(
    { workspace, slug }: PinnedServer,
    kind: DefinitionKind,
    listed: readonly Listed[],
  ): Promise<readonly Listed[]> {
    const judge = await this.#definitions.judge(workspace, slug);
    const kept: Listed[] = [];
    const withheld: SeenDefinition[] = [];
    let unseen = false;
    for (const definition of listed) {
      const seen = seenAs(kind, definition);
      const verdict = judge(seen);
      unseen ||= verdict === 'unseen';
      if (verdict === 'approved') kept.push(definition);
      else withheld.push(seen);
    }
    if (withheld.length > 0) this.#definitions.withheld(workspace, slug, withheld);
    if (unseen) throw unapproved(slug);
    return kept;
  }

  /** @throws AppError `definitions_unapproved`, `tool_new`, `tool_changed`, `prompt_new`, `prompt_changed` */
  async check(server: PinnedServer, kind: DefinitionKind, definition: Definition): Promise<void> {
    const verdict = await this.verdict(server, kind, definition);
    if (verdict !== 'approved') throw refusal(server.slug, kind, definition.name, verdict);
  }

  async verdict(
    { workspace, slug }: PinnedServer,
    kind: DefinitionKind,
    definition: Definition,
  ): Promise<PinVerdict> {
    const seen = seenAs(kind, definition);
    const verdict = (await this.#definitions.judge(workspace, slug))(seen);
    if (verdict !== 'approved') this.#definitions.withheld(workspace, slug, [seen]);
    return verdict;
  }
}

const seenAs = (kind: DefinitionKind, { name, text, hash }: Definition): SeenDefinition => ({
  kind,
  name,
  text,
  hash,
});

const unapproved = (slug: string): AppError =>
  new AppError('definitions_unapproved', `Nobody has agreed to what the server "${slug}" offers yet.`, {
    kind: 'denied',
    hint: `Look at it and agree: sallyport server consent ${slug}`,
  });

function refusal(
  slug: string,
  kind: DefinitionKind,
  name: string,
  verdict: Exclude<PinVerdict, 'approved'>,
): AppError {
  if (verdict === 'unseen') return unapproved(slug);
  const shown = name.slice(0, 100);
  const message =
    verdict === 'new'
      ? `The server "${slug}" offers the ${kind} ${shown} since somebody agreed to what it offers.`
      : `The server "${slug}" changed its ${kind} ${shown} since somebody agreed to it.`;
  const option = /^[\w.-]{1,100}$/.test(name) ? ` --${kind} ${name}` : '';
  return new AppError(`${kind}_${verdict}`, message, {
    kind: 'denied',
    hint: `See what it is and agree: sallyport server consent ${slug}${option}`,
  });
}
