/**
 * What a command outside of any server may reach and use: what the servers of a profile may, together. Pure.
 *
 * Putting their rules side by side must not widen any of them: a credential of one server must not go out by a rule of another.
 * So where rules for one place differ and a credential goes there, it is refused.
 */
import type { ServerRow } from '../../api/index.ts';
import type { CredentialBinding, EgressRule } from '../../egress/index.ts';
import { AppError, type Random } from '../../kernel/index.ts';
import { makePlaceholder, type Manifest, parseManifest, renderFinding } from '../../manifest/index.ts';
import { matchHost } from '../../wire/index.ts';
import { bindingOf } from '../cells/binding.ts';
import type { CredentialVersions } from '../cells/credentials.ts';
import type { StoredCredential } from '../egress-ports.ts';

/** A server of the profile, as stored. */
export interface RunServer {
  readonly row: ServerRow;
  readonly manifest: Manifest;
  /** Credentials that have a value. */
  readonly versions: CredentialVersions;
}

export interface RunShare {
  readonly rules: readonly EgressRule[];
  readonly bindings: readonly CredentialBinding[];
  /** By the name that the binding has. */
  readonly credentials: ReadonlyMap<string, StoredCredential>;
  /** Placeholders by variable. */
  readonly environment: Readonly<Record<string, string>>;
  /** What the user should know, a sentence each. */
  readonly notes: readonly string[];
}

/** @throws AppError `run_rules_differ` */
export function shareOf(
  servers: readonly RunServer[],
  hosts: readonly EgressRule[],
  random: Random,
): RunShare {
  checkRules(servers, hosts);
  const bindings: CredentialBinding[] = [];
  const credentials = new Map<string, StoredCredential>();
  const environment: Record<string, string> = {};
  const owners = new Map<string, string>();
  const notes: string[] = [];
  for (const { row, manifest, versions } of servers) {
    for (const slot of manifest.credentials) {
      const why = unusable(slot, versions, row.slug);
      if (why !== null) {
        notes.push(why);
        continue;
      }
      // A slash is in no name: two servers may each have a TOKEN.
      const label = `${row.slug}/${slot.name}`;
      const placeholder = makePlaceholder(slot.placeholder, random);
      bindings.push({ ...bindingOf(slot, placeholder), name: label, ports: portsOf(manifest, slot) });
      credentials.set(label, { row, name: slot.name });
      if (slot.env === undefined) continue;
      const owner = owners.get(slot.env);
      if (owner !== undefined) {
        notes.push(`${slot.env} is the placeholder of ${owner}; that of ${label} has no variable.`);
        continue;
      }
      owners.set(slot.env, label);
      environment[slot.env] = placeholder;
    }
  }
  const rules = [...servers.flatMap(({ manifest }) => manifest.egress), ...hosts];
  return { rules, bindings, credentials, environment, notes };
}

type Slot = Manifest['credentials'][number];

/** Without a word of its own, a credential goes to any port that the rules have: those of its server, not of others. */
const portsOf = ({ egress }: Manifest, { hosts, ports }: Slot): readonly number[] =>
  ports ?? [
    ...new Set(
      egress.filter(({ host }) => hosts.some((bound) => overlap(bound, host))).map(({ port }) => port),
    ),
  ];

/** Why a command does not get a credential; null when it does. */
function unusable({ name, tier, use }: Slot, versions: CredentialVersions, slug: string): string | null {
  if (!versions.has(name)) return `${slug}/${name} has no value: sallyport secret set ${slug} ${name}`;
  if (tier === 'entrusted')
    return `${slug}/${name} is for that server itself, which would be given its value.`;
  return use === 'during-calls' ? `${slug}/${name} may be used during tool calls only.` : null;
}

/** @throws AppError `run_rules_differ` */
function checkRules(servers: readonly RunServer[], hosts: readonly EgressRule[]): void {
  const sources = [
    ...servers.map((server) => ({ name: `\`${server.row.slug}\``, rules: server.manifest.egress, server })),
    { name: '--host', rules: hosts, server: null },
  ];
  for (const { name, rules, server } of sources) {
    for (const other of sources) {
      if (server === null || other.server === server) continue;
      const differing = other.rules.find((rule) => isBound(server, rule) && !hasSame(rules, rule));
      if (differing === undefined) continue;
      throw new AppError(
        'run_rules_differ',
        `${name} and ${other.name} may reach ${differing.host} in different ways, and a credential goes there.`,
        {
          kind: 'denied',
          hint: 'Choose a profile that has one of them (sallyport profile create), or leave --host out.',
        },
      );
    }
  }
}

const samePlace = (one: EgressRule, other: EgressRule): boolean =>
  one.port === other.port && overlap(one.host, other.host);

/** Whether any name matches both. */
function overlap(one: string, other: string): boolean {
  if (one === other) return true;
  const [wide, narrow] = one.startsWith('*.') ? [one, other] : [other, one];
  if (!wide.startsWith('*.')) return false;
  if (!narrow.startsWith('*.')) return matchHost(wide, narrow);
  return one.endsWith(other.slice(1)) || other.endsWith(one.slice(1));
}

function sameRestrictions(one: EgressRule, other: EgressRule): boolean {
  const restrictions = ({ protocol, methods, paths }: EgressRule): string =>
    JSON.stringify([protocol, methods?.toSorted() ?? null, paths?.toSorted() ?? null]);
  return restrictions(one) === restrictions(other);
}

/** Whether a credential would go where a rule leads. */
const isBound = ({ manifest, versions }: RunServer, { host, port }: EgressRule): boolean =>
  manifest.credentials.some(
    (slot) =>
      slot.tier === 'sealed' &&
      versions.has(slot.name) &&
      portsOf(manifest, slot).includes(port) &&
      slot.hosts.some((bound) => overlap(bound, host)),
  );

/** Whether there are rules for the same place already, and none that says something else. */
function hasSame(rules: readonly EgressRule[], rule: EgressRule): boolean {
  const there = rules.filter((one) => samePlace(one, rule));
  return there.length > 0 && there.every((one) => sameRestrictions(one, rule));
}

/**
 * Rules for `--host` options: every method and path, over TLS.
 *
 * @param given `HOST` or `HOST:PORT`; a host as in a manifest, `*.` and at least two labels included
 * @throws AppError `run_host_invalid`
 */
export function rulesOfHosts(given: readonly string[]): readonly EgressRule[] {
  return given.flatMap((text) => {
    const [, host = '', port] = /^(.*?)(?::(\d{1,5}))?$/.exec(text) ?? [];
    const manifest = {
      schemaVersion: 2,
      name: 'run',
      version: '0.0.0',
      server: { kind: 'sandboxed', command: ['command'] },
      egress: [{ host, ...(port === undefined ? {} : { port: Number(port) }) }],
    };
    const parsed = parseManifest(JSON.stringify(manifest), { file: '--host' });
    if (parsed.manifest !== undefined && parsed.errors.length === 0) return parsed.manifest.egress;
    const [problem] = parsed.errors;
    throw new AppError('run_host_invalid', `--host ${text}: ${problem?.message ?? 'is not a host'}.`, {
      kind: 'invalid',
      hint: 'Write a name, such as api.example.com, with :PORT behind it where that is not 443.',
      detail: { problems: parsed.errors.map(renderFinding) },
    });
  });
}
