/**
 * Lets through what somebody agreed to. What differs is noted and withheld, each time anew: a server may change what it
 * says at any moment, and a decision may come at any moment.
 */
import { AppError } from '../../kernel/index.ts';
import type { Target } from '../gate/forwarded.ts';
import type {
  ApprovedTool,
  DefinitionKind,
  Definitions,
  PinVerdict,
  SeenDefinition,
} from '../ports/definitions.ts';
import { isLater, type Soon } from '../soon.ts';
import type { Terms } from '../gate/terms.ts';

/** A definition whose hash is computed when somebody wants it. */
export type Definition = Pick<SeenDefinition, 'name' | 'text' | 'hash'>;

export class Pins {
  readonly #definitions: Pick<Definitions, 'approvedTools' | 'withheld'>;
  readonly #terms: Pick<Terms, 'judge'>;

  constructor(definitions: Pick<Definitions, 'approvedTools' | 'withheld'>, terms: Pick<Terms, 'judge'>) {
    this.#definitions = definitions;
    this.#terms = terms;
  }

  /**
   * Of what a server lists, what was agreed to.
   *
   * @throws AppError `definitions_unapproved` where nobody has looked at this server yet
   */
  async kept<Listed extends Definition>(
    target: Target,
    kind: DefinitionKind,
    listed: readonly Listed[],
  ): Promise<readonly Listed[]> {
    const judge = await this.#terms.judge(target);
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
    if (withheld.length > 0) this.#withheld(target, withheld);
    if (unseen) throw unapproved(target.server.slug);
    return kept;
  }

  /** What was agreed to of a server's tools, without asking it. @throws AppError `definitions_unapproved` */
  async approvedTools({ principal, server }: Target): Promise<readonly ApprovedTool[]> {
    const approved = await this.#definitions.approvedTools(principal.workspace, server.slug);
    if (approved === null) throw unapproved(server.slug);
    return approved;
  }

  /** @throws AppError `definitions_unapproved`, `tool_new`, `tool_changed`, `prompt_new`, `prompt_changed` */
  async check(target: Target, kind: DefinitionKind, definition: Definition): Promise<void> {
    const verdict = await this.verdict(target, kind, definition);
    if (verdict !== 'approved') throw refusal(target.server.slug, kind, definition.name, verdict);
  }

  verdict(target: Target, kind: DefinitionKind, definition: Definition): Soon<PinVerdict> {
    const seen = seenAs(kind, definition);
    const judge = this.#terms.judge(target);
    return isLater(judge)
      ? judge.then((found) => this.#noted(target, seen, found(seen)))
      : this.#noted(target, seen, judge(seen));
  }

  #noted(target: Target, seen: SeenDefinition, verdict: PinVerdict): PinVerdict {
    if (verdict !== 'approved') this.#withheld(target, [seen]);
    return verdict;
  }

  #withheld({ principal, server }: Target, seen: readonly SeenDefinition[]): void {
    this.#definitions.withheld(principal.workspace, server.slug, seen);
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
