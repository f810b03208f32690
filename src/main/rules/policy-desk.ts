/** What the operator does with rules: check, apply, remove, explain. Applying is on record before it holds. */
import { manifestOf, type PolicyAsked, type PolicyDesk, type ServerRows } from '../../api/index.ts';
import type { Actor, AuditLog } from '../../audit/index.ts';
import { AppError, type Clock, type WorkspaceId } from '../../kernel/index.ts';
import {
  decodePolicy,
  type KnownThings,
  type KnownTool,
  refusalOf,
  type RuleRequest,
  type Rules,
  combineRules,
} from '../../policy/index.ts';
import type { CallLimits } from '../../mcp/index.ts';
import type { Store } from '../../store/index.ts';
import { type KeptRules, sourceName } from './rule-book.ts';

export interface PolicyDeskDeps {
  readonly workspace: WorkspaceId;
  readonly operator: Actor;
  readonly store: Pick<Store, 'policies' | 'definitions' | 'profiles'>;
  readonly servers: ServerRows;
  readonly rules: KeptRules;
  /** How many people there are to agree to anything. */
  readonly approvers: number;
  readonly uses: Pick<CallLimits, 'used'>;
  readonly audit: Pick<AuditLog, 'append'>;
  readonly clock: Clock;
}

export function policyDesk(deps: PolicyDeskDeps): PolicyDesk {
  const { workspace, store, rules, audit, clock, operator } = deps;

  /** The tools that somebody agreed to, and those that APIs and manifests name. */
  async function knownThings(): Promise<KnownThings> {
    const rows = await deps.servers.list(workspace);
    const known = rows.map(async (row): Promise<[string, readonly KnownTool[] | null]> => {
      const agreed = (await store.definitions.list(workspace, row.id)).filter(
        ({ kind, state }) => kind === 'tool' && state !== 'rejected',
      );
      const named = defaultTools(row).filter((name) => !agreed.some((one) => one.name === name));
      const more = named.map((name) => ({ name, argumentNames: null }));
      const tools = agreed.map(({ name, text }) => ({ name, argumentNames: argumentNamesOf(text) }));
      return [row.slug, agreed.length === 0 ? null : [...tools, ...more]];
    });
    return new Map(await Promise.all(known));
  }

  async function checked(text: string, file: string) {
    return decodePolicy(text, file, { known: await knownThings(), approvers: deps.approvers });
  }

  async function needProfile(profile: string | null): Promise<void> {
    if (profile === null || (await store.profiles.findByName(workspace, profile)) !== null) return;
    throw new AppError('profile_not_found', `There is no profile \`${profile}\`.`, {
      kind: 'not_found',
      hint: 'See them: `sallyport profile list`.',
    });
  }

  const record = (type: 'policy.changed' | 'policy.removed', profile: string | null, count?: number) =>
    audit.append({
      workspace,
      type,
      actor: operator,
      data: { profile, ...(count === undefined ? {} : { rules: count }) },
    });

  return {
    async check(text, file) {
      const read = await checked(text, file);
      if (!read.ok) return { ok: false, default: null, rules: 0, errors: read.error, warnings: [] };
      const { rules: set, warnings } = read.value;
      return { ok: true, default: set.fallback, rules: set.rules.length, errors: [], warnings };
    },
    async apply(text, profile) {
      await needProfile(profile);
      const read = await checked(text, sourceName(profile === null ? 'workspace' : 'profile', profile));
      if (!read.ok) {
        const [first] = read.error;
        throw new AppError(
          first?.code ?? 'policy_invalid',
          `Line ${first?.line ?? 1}, column ${first?.column ?? 1}: ${first?.message ?? 'it cannot be read'}.`,
          { kind: 'invalid', hint: 'See all that is wrong: `sallyport policy check FILE`.' },
        );
      }
      await record('policy.changed', profile, read.value.rules.rules.length);
      const updatedBy = `${operator.kind}:${operator.id}`;
      await store.policies.save(workspace, { profile, text, updatedAt: clock.now(), updatedBy });
      await rules.settle();
    },
    async remove(profile) {
      const found = (await store.policies.list(workspace)).some((one) => one.profile === profile);
      if (!found)
        throw new AppError('policy_not_found', 'No such rules were applied.', {
          kind: 'not_found',
          hint: 'See what holds: `sallyport policy show`.',
        });
      await record('policy.removed', profile);
      await store.policies.remove(workspace, profile);
      await rules.settle();
    },
    async list() {
      await rules.settle();
      return rules.sources();
    },
    async explain(asked) {
      await needProfile(asked.profile);
      await rules.settle();
      const current = await rules.rulesOf(workspace, asked.profile);
      const held = asked.text === null ? current : against(asked.text);
      const request = await counted(held, requestOf(asked, await annotationsOf(asked), clock.now()));
      const { decision, looked, fallback } = held.explain(request);
      const { outcome, decisive } = decision;
      const said = outcome === 'allow' ? null : refusalOf(request, decision, held);
      return {
        outcome,
        default: fallback,
        rule: decisive?.rule.id ?? null,
        code: said?.code ?? null,
        message: said?.message ?? null,
        hint: said?.hint ?? null,
        rules: looked.map(({ rule, look, fault }) => ({
          id: rule.id,
          do: rule.action.do,
          file: rule.place.file,
          line: rule.place.line,
          when: rule.when?.text ?? null,
          look,
          fault,
        })),
      };
    },
  };

  /** With what the one who is asked about called before, where it is said who that is. */
  async function counted(held: Rules, request: RuleRequest): Promise<RuleRequest> {
    const names = held.counts(request);
    const {
      server,
      name,
      users: [user],
      agents: [agent],
    } = request;
    if (names.length === 0 || (user === undefined && agent === undefined)) return request;
    const caller = { user: user ?? null, ...(agent === undefined ? {} : { agent }) };
    return { ...request, usage: await deps.uses.used(workspace, names, { server, name, ...caller }) };
  }

  function against(text: string): Rules {
    const read = decodePolicy(text, 'policy');
    if (read.ok) return combineRules([read.value.rules]);
    const [first] = read.error;
    throw new AppError(
      first?.code ?? 'policy_invalid',
      `Line ${first?.line ?? 1}: ${first?.message ?? ''}.`,
      {
        kind: 'invalid',
        hint: 'See all that is wrong: `sallyport policy check FILE`.',
      },
    );
  }

  /** Of the definition that somebody agreed to. */
  async function annotationsOf({ subject, server, name }: PolicyAsked): Promise<string | null> {
    const row = await deps.servers.find(workspace, server);
    if (row === null)
      throw new AppError('server_not_found', `There is no server \`${server}\`.`, {
        kind: 'not_found',
        hint: 'See them: `sallyport server list`.',
      });
    if (subject !== 'tool') return null;
    const approved = await store.definitions.list(workspace, row.id, 'approved');
    const found = approved.find((one) => one.kind === 'tool' && one.name === name);
    if (found === undefined) return null;
    const definition: unknown = JSON.parse(found.text);
    return typeof definition === 'object' && definition !== null && 'annotations' in definition
      ? JSON.stringify(definition.annotations)
      : null;
  }
}

/** Those that a definition declares; null where it leaves open which there are. */
function argumentNamesOf(text: string): readonly string[] | null {
  const definition: unknown = JSON.parse(text);
  const schema = memberOf(definition, 'inputSchema');
  const properties = memberOf(schema, 'properties');
  const isOpen = ['additionalProperties', 'patternProperties', 'anyOf', 'oneOf', 'allOf', '$ref'].some(
    (key) => {
      const value = memberOf(schema, key);
      return value !== undefined && value !== false;
    },
  );
  return isOpen || typeof properties !== 'object' || properties === null ? null : Object.keys(properties);
}

const memberOf = (value: unknown, key: string): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? Reflect.get(value, key)
    : undefined;

function defaultTools(row: Parameters<typeof manifestOf>[0]): readonly string[] {
  try {
    return manifestOf(row).tools?.default ?? [];
  } catch {
    return [];
  }
}

function requestOf(asked: PolicyAsked, annotations: string | null, now: number): RuleRequest {
  const { subject, server, profile, name, user, agent, clientIp, at, egress } = asked;
  return {
    subject,
    server,
    profile: profile ?? '',
    name,
    users: user === null ? [] : [user],
    agents: agent === null ? [] : [agent],
    tokens: [],
    now: at ?? now,
    ...(clientIp === null ? {} : { clientIp }),
    ...(subject === 'tool' || subject === 'prompt' ? { args: asked.arguments } : {}),
    ...(annotations === null ? {} : { annotations }),
    ...(egress === null
      ? {}
      : { egress: { methods: [egress.method], path: egress.path, tools: egress.tools } }),
  };
}
