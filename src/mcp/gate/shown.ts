/**
 * What callers are shown of what servers offer: exactly what they may call, get or read. What nobody agreed to is withheld,
 * what the profile does not choose is left out, and so is what no argument could be allowed for.
 */
import { limits, type Log } from '../../kernel/index.ts';
import { visibleTools } from '../../policy/index.ts';
import { choiceOf } from './admission.ts';
import type { Target } from './forwarded.ts';
import type { AgreedInstructions } from '../endpoint/joined-instructions.ts';
import { headerDeclarationFault } from '../protocol/param-headers.ts';
import { definitionHash } from '../pinning/definition-hash.ts';
import type { Pins } from '../pinning/pins.ts';
import type { Principal } from '../ports/callers.ts';
import type { Definitions } from '../ports/definitions.ts';
import type { ProfileServer } from '../ports/upstreams.ts';
import { printable } from '../protocol/printable.ts';
import { find, stringAt } from '../protocol/raw-json.ts';
import type { Ruling } from './ruling.ts';
import { asListed, type ListedDefinition, type ListedTool } from '../upstream/tool-catalog.ts';

export interface ShownDeps {
  readonly definitions: Pick<Definitions, 'approvedInstructions'>;
  readonly pins: Pins;
  readonly ruling: Ruling;
  readonly log: Log;
}

/** A resource, or a template, as its server lists it. */
export interface ListedResource {
  readonly name: string;
  readonly text: string;
}

export class Shown {
  readonly #deps: ShownDeps;
  /** Definitions that clients with headers are not shown, each told once. */
  readonly #faultsTold = new Set<string>();

  constructor(deps: ShownDeps) {
    this.#deps = deps;
  }

  /**
   * Of a server's tools, those that this caller may see; exactly those that it may call.
   *
   * @throws AppError `definitions_unapproved`
   */
  async tools<Tool extends ListedTool>(target: Target, tools: readonly Tool[]): Promise<readonly Tool[]> {
    const { pins, ruling } = this.#deps;
    const agreed = await pins.kept(target, 'tool', tools);
    const chosen = await ruling.shown(target, 'tool', visibleTools(agreed, choiceOf(target.server)));
    return target.mirrored === true ? chosen.filter((tool) => this.#isMirrorable(target, tool)) : chosen;
  }

  /**
   * The tools of a server that somebody agreed to, without a start of it: the same array as long as they stay the same.
   *
   * @throws AppError `definitions_unapproved`
   */
  async agreedTools(target: Target): Promise<readonly ListedTool[]> {
    return asListed(await this.#deps.pins.approvedTools(target));
  }

  /** Of a server's prompts, those that somebody agreed to and no rule refuses. @throws AppError `definitions_unapproved` */
  async prompts(target: Target, prompts: readonly ListedDefinition[]): Promise<readonly ListedDefinition[]> {
    const { pins, ruling } = this.#deps;
    return ruling.shown(target, 'prompt', await pins.kept(target, 'prompt', prompts));
  }

  /**
   * Of a server's resources, or templates of them, those that no rule refuses; entries without an address only where there
   * are no rules.
   */
  async resources(
    target: Target,
    member: 'uri' | 'uriTemplate',
    entries: readonly string[],
  ): Promise<readonly ListedResource[]> {
    const { ruling } = this.#deps;
    const listed = entries.map((text) => ({ text, name: stringAt(text, find(text, 0, [member])) ?? '' }));
    return member === 'uri'
      ? ruling.shown(target, 'resource', listed)
      : ruling.shownTemplates(target, listed);
  }

  /** Whether somebody agreed to what a server tells every agent to begin with. @param text a JSON string */
  async areInstructionsAgreed(target: Target, text: string): Promise<boolean> {
    const seen = { name: '', text, hash: definitionHash(text) };
    return (await this.#deps.pins.verdict(target, 'instructions', seen)) === 'approved';
  }

  /** What somebody agreed that these servers tell agents to begin with, whether they run or not. */
  async agreedInstructions(
    { workspace }: Principal,
    servers: readonly ProfileServer[],
  ): Promise<readonly AgreedInstructions[]> {
    const { definitions } = this.#deps;
    const all = servers.map(async ({ slug }) => ({
      slug,
      text: await definitions.approvedInstructions(workspace, slug),
    }));
    return (await Promise.all(all)).flatMap(({ slug, text }) => (text === null ? [] : [{ slug, text }]));
  }

  /** A client that repeats parameters in headers must not be shown a tool that says it wrongly how. */
  #isMirrorable({ server }: Target, { name, text }: ListedTool): boolean {
    const reason = headerDeclarationFault(text);
    if (reason === null) return true;
    const fault = {
      server: server.slug,
      tool: printable(name, limits.toolNameShownCharsMax),
      reason,
    };
    const key = JSON.stringify(fault);
    if (!this.#faultsTold.has(key)) {
      if (this.#faultsTold.size >= limits.mcpFaultyToolsToldMax) this.#faultsTold.clear();
      this.#faultsTold.add(key);
      this.#deps.log.warn('mcp.tool.left_out', fault);
    }
    return false;
  }
}
