/**
 * The owner's rules, asked for every request that passes the gate: calls of tools, prompts, resources, and what lists
 * show. A refusal says which rule it was, and is on record before anybody hears of it.
 *
 * What rules are told of a request is what the server will be told: names after the gateway's own changes to them, and
 * the arguments as the client wrote them, which have one reading only.
 */
import { AppError, type Clock, limits } from '../../kernel/index.ts';
import {
  refusalOf,
  type RuleDecision,
  type RuleRequest,
  type Rules,
  type UsageName,
} from '../../policy/index.ts';
import type { ClientRequest } from '../client/client-request.ts';
import type { Forwarded, Target } from './forwarded.ts';
import { listsAndSettings } from '../protocol/lists.ts';
import { paramSpan, paramString } from '../protocol/message.ts';
import { countedFor } from './counted-for.ts';
import { type Named, refusedThing } from './named.ts';
import type { CallAudit } from '../ports/call-audit.ts';
import type { CallLimits } from '../ports/governance.ts';
import { slice } from '../protocol/raw-json.ts';
import { isLater, type Soon } from '../soon.ts';
import type { Terms } from './terms.ts';
import { type ListedDefinition, textsOf } from '../upstream/tool-catalog.ts';

export interface RulingDeps {
  readonly limits: Pick<CallLimits, 'used'>;
  readonly audit: Pick<CallAudit, 'refused' | 'alerted'>;
  readonly clock: Clock;
}

/** The local operator's view of all servers. */
const NO_PROFILE = '';

/** What a request is about, as its server names it. */
interface About extends Named {
  /** What the server says of it; null: nothing. */
  readonly definition: Pick<ListedDefinition, 'text'> | null;
}

/** What a request is about, and what rules say of it. */
export interface Judged extends Named {
  readonly decision: RuleDecision | null;
}

/** What rules say of a request, on its way to those who are told. */
interface Verdict {
  readonly about: About;
  readonly asked: RuleRequest;
  readonly decision: RuleDecision;
  readonly taped: ClientRequest['taped'];
}

export class Ruling {
  readonly #deps: RulingDeps;
  readonly #terms: Pick<Terms, 'rules'>;

  constructor(deps: RulingDeps, terms: Pick<Terms, 'rules'>) {
    this.#deps = deps;
    this.#terms = terms;
  }

  /**
   * @returns what else rules say of it, and whether somebody has to agree first; null: there are none
   * @throws AppError, as a rejection: `policy_denied`, `policy_default_denied`, `recording_unavailable`
   */
  judge(target: Target, about: About, request: ClientRequest): Soon<RuleDecision | null> {
    const rules = this.#terms.rules(target);
    if (isLater(rules)) return rules.then((found) => this.#judgedBy(found, target, about, request));
    return this.#judgedBy(rules, target, about, request);
  }

  #judgedBy(rules: Rules, target: Target, about: About, request: ClientRequest): Soon<RuleDecision | null> {
    const { taped } = request;
    if (isOpen(rules) && taped?.wanted !== true) return null;
    const asked = this.#asked(target, about, request);
    const names = rules.counts(asked);
    if (names.length === 0) return this.#decided(rules, target, { about, asked, taped });
    return this.#counted(target, about, { asked, names }).then((counted) =>
      this.#decided(rules, target, { about, asked: counted, taped }),
    );
  }

  #decided(
    rules: Rules,
    target: Target,
    { about, asked, taped }: Omit<Verdict, 'decision'>,
  ): Soon<RuleDecision> {
    const decision = rules.decide(asked);
    const isDone = taped === undefined && decision.outcome !== 'deny' && decision.alerts.length === 0;
    return isDone ? decision : this.#told(rules, target, { about, asked, decision, taped });
  }

  /** Records what was decided, tells whom it is to be told, and refuses what is not allowed. */
  async #told(
    rules: Rules,
    target: Target,
    { about, asked, decision, taped }: Verdict,
  ): Promise<RuleDecision> {
    await taped?.judged(asked, decision).catch((error: unknown) => this.#unrecorded(target, about, error));
    for (const { rule, severity } of decision.alerts)
      await this.#deps.audit.alerted({
        principal: target.principal,
        profile: target.profile,
        server: target.server.slug,
        [about.subject]: about.name,
        rule,
        severity,
        outcome: decision.outcome,
      });
    if (decision.outcome === 'deny')
      return this.#refuse(target, about, refusalOf(asked, decision, rules), decision.decisive?.rule.id);
    return decision;
  }

  /**
   * Requests that are no calls, as far as rules are about them: getting a prompt, reading a resource, watching it, and
   * completing the arguments of a prompt or a template of resources, which tells something of it.
   *
   * @returns like `judge`, and what it is about; null: no rule can be about it
   * @throws AppError like `judge`; `policy_approval_required` for a resource to be watched, which no single use is;
   *   `mcp_params_invalid` where it does not say what it is about
   */
  async judgeForwarded(target: Target, request: Forwarded): Promise<Judged | null> {
    const { message } = request;
    const { method } = message;
    if (method === 'prompts/get') {
      const name = sentText(request, ['name']);
      if (name !== null) return this.#judged(target, { subject: 'prompt', name, definition: null }, request);
    } else if (method === 'resources/read' || method === 'resources/subscribe') {
      const name = sentText(request, ['uri']);
      if (name !== null)
        return this.#judged(target, { subject: 'resource', name, definition: null }, request);
    } else if (method === 'completion/complete') {
      const subject = paramString(message, 'ref', 'type') === 'ref/prompt' ? 'prompt' : 'resource';
      const name = sentText(request, ['ref', subject === 'prompt' ? 'name' : 'uri']);
      if (name !== null) {
        await this.#judgeShown(target, { subject, name, definition: null });
        return null;
      }
    } else {
      await this.#judgeUnnamed(target, method);
      return null;
    }
    // What its server would make of it nobody can tell.
    if (!(await this.isRuled(target))) return null;
    throw unnamed();
  }

  /** Methods that rules have no word for are none that they allow. */
  async #judgeUnnamed(target: Target, method: string): Promise<void> {
    if (HARMLESS.has(method) || (await this.#terms.rules(target)).fallback === 'allow') return;
    const { principal, profile, server } = target;
    const said = method.slice(0, limits.toolNameShownCharsMax);
    const code = 'policy_default_denied';
    await this.#deps.audit.refused({
      principal,
      profile,
      server: server.slug,
      tool: null,
      method: said,
      code,
    });
    throw new AppError(code, `Requests of the method ${said} are refused, because no rule can allow them.`, {
      kind: 'denied',
      hint: 'Rules are about tools, prompts and resources.',
    });
  }

  /** Whether there are rules about anything that this caller asks of the server. */
  async isRuled(target: Target): Promise<boolean> {
    return !isOpen(await this.#terms.rules(target));
  }

  /** Watching a resource where no request for it goes to its server as the client sent it. @throws AppError like `judge` */
  judgeWatch(target: Target, uri: string, request: ClientRequest): Promise<Judged> {
    return this.#judged(target, { subject: 'resource', name: uri, definition: null }, request);
  }

  async #judged(target: Target, about: About, request: ClientRequest): Promise<Judged> {
    if (about.name.length > limits.policyUriCharsMax && (await this.isRuled(target))) throw unnamed();
    const decision = await this.judge(target, about, request);
    if (decision?.outcome === 'approve' && !ONE_USE.has(request.message.method))
      await this.#refuse(target, about, watchingNeedsApproval(about.name), decision.decisive?.rule.id);
    return { subject: about.subject, name: about.name, decision };
  }

  /** Of what is listed, that which some arguments could be allowed for. */
  async shown<Kind extends Pick<ListedDefinition, 'name' | 'text'>>(
    target: Target,
    subject: About['subject'],
    listed: readonly Kind[],
  ): Promise<readonly Kind[]> {
    const rules = await this.#terms.rules(target);
    if (isOpen(rules)) return listed;
    return listed.filter((one) =>
      rules.shows(this.#asked(target, { subject, name: one.name, definition: one }, null)),
    );
  }

  /** Templates of URIs, those of which some could be allowed. */
  async shownTemplates<Kind extends Pick<ListedDefinition, 'name'>>(
    target: Target,
    listed: readonly Kind[],
  ): Promise<readonly Kind[]> {
    const rules = await this.#terms.rules(target);
    if (isOpen(rules)) return listed;
    return listed.filter(({ name }) =>
      rules.showsTemplate(this.#asked(target, { subject: 'resource', name, definition: null }, null)),
    );
  }

  async #judgeShown(target: Target, about: About): Promise<void> {
    const rules = await this.#terms.rules(target);
    const asked = this.#asked(target, about, null);
    if (isOpen(rules)) return;
    if (about.subject === 'resource' ? rules.showsTemplate(asked) : rules.shows(asked)) return;
    const decision = rules.decide(asked);
    await this.#refuse(target, about, refusalOf(asked, decision, rules), decision.decisive?.rule.id);
  }

  /** With what rules about it count; nothing is read for others. */
  async #counted(
    target: Target,
    about: Named,
    { asked, names }: { readonly asked: RuleRequest; readonly names: readonly UsageName[] },
  ): Promise<RuleRequest> {
    const { workspace } = target.principal;
    return {
      ...asked,
      usage: await this.#deps.limits.used(workspace, names, countedFor(target, about)),
    };
  }

  /** @param request null: nobody asks for it now, so there are no arguments */
  #asked({ principal, profile, server }: Target, about: About, request: ClientRequest | null): RuleRequest {
    const { actor, agent } = principal;
    const address = request?.carried.address;
    const given = request === null ? null : paramSpan(request.message, 'arguments');
    const said = about.definition === null ? null : textsOf(about.definition).annotations;
    return {
      subject: about.subject,
      server: server.slug,
      profile: profile ?? NO_PROFILE,
      name: about.name,
      users: actor.kind === 'user' ? [actor.id] : [],
      agents: [agent],
      tokens: actor.kind === 'token' ? [actor.id] : [],
      now: this.#deps.clock.now(),
      ...(address === undefined ? {} : { clientIp: address }),
      ...(request === null || given === null ? {} : { args: slice(request.message.text, given) }),
      ...(said === null ? {} : { annotations: said }),
    };
  }

  /** What has to be recorded, and cannot be, is refused, too. */
  async #unrecorded(target: Target, about: About, error: unknown): Promise<never> {
    if (error instanceof AppError) await this.#record(target, about, error.code);
    throw error;
  }

  async #refuse(
    target: Target,
    about: About,
    { code, message, hint }: { readonly code: string; readonly message: string; readonly hint: string },
    rule: string | undefined,
  ): Promise<never> {
    await this.#record(target, about, code, rule);
    throw new AppError(code, message, { kind: 'denied', hint });
  }

  #record({ principal, profile, server }: Target, about: About, code: string, rule?: string): Promise<void> {
    return this.#deps.audit.refused({
      principal,
      profile,
      server: server.slug,
      ...refusedThing(about),
      code,
      ...(rule === undefined ? {} : { rule }),
    });
  }
}

/** What lists say is judged entry by entry; tasks go on with calls that were. */
const HARMLESS: ReadonlySet<string> = new Set([
  ...listsAndSettings,
  'ping',
  'tasks/get',
  'tasks/result',
  'tasks/cancel',
]);

const unnamed = (): AppError =>
  new AppError('mcp_params_invalid', 'Invalid params: what this is about must be a string.', {
    kind: 'invalid',
    hint: `There are rules about it: it may have ${limits.policyUriCharsMax} characters.`,
  });

/** Requests that are over with their answer: what somebody agrees to is one of them. */
const ONE_USE: ReadonlySet<string> = new Set(['prompts/get', 'resources/read']);

const watchingNeedsApproval = (uri: string) => ({
  code: 'policy_approval_required',
  message: `The resource ${uri.slice(0, limits.toolNameShownCharsMax)} cannot be watched: each time that it is read somebody has to agree.`,
  hint: 'Read it when you need it.',
});

const isOpen = ({ all, fallback }: Rules): boolean => all.length === 0 && fallback === 'allow';

/** A parameter as it goes to the server. */
function sentText({ message, edits }: Forwarded, path: readonly string[]): string | null {
  const span = paramSpan(message, ...path);
  const edit = edits?.find(({ start, end }) => start === span?.start && end === span.end);
  if (edit === undefined) return paramString(message, ...path);
  const text: unknown = JSON.parse(edit.text);
  return typeof text === 'string' ? text : null;
}
