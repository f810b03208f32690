/**
 * Which requests a probe makes, and which it does not and why. Pure. A probe goes only where the credential itself
 * could go: what the manifest's rules and the credential's binding do not both allow is not asked for.
 */
import { limits } from '../../kernel/index.ts';
import { matchBinding, matchEgress } from '../../policy/index.ts';
import { matchHost, type Target } from '../../wire/index.ts';
import type { Destination } from '../upstream/dial.ts';
import type { CredentialBinding, EgressRule, InjectRule } from '../ports.ts';
import { carrierOf, pathTarget, placeText } from './place.ts';

/** A credential by where it may go. Neither its value nor a placeholder is needed to find out who sends back what. */
export type ProbedCredential = Omit<CredentialBinding, 'placeholder'>;

/** What a server is asked for itself, whatever the paths are that its rules name. */
export interface ProbeHome {
  readonly host: string;
  readonly port: number;
  readonly target: Target;
}

export interface ProbeScope {
  readonly rules: readonly EgressRule[];
  readonly credentials: readonly ProbedCredential[];
  /** Asked for everywhere it is allowed; null: the first path that the rules name, or `/`. */
  readonly target: Target | null;
  /** Asked for first where nothing else is wanted; null: there is no such place. */
  readonly home: ProbeHome | null;
  /** Names to ask below wildcards, in canonical form. */
  readonly hosts: readonly string[];
  /** Whether requests with a body may be made: these could change something if an API took them. */
  readonly post: boolean;
}

interface Planned {
  readonly credential: string;
  readonly rule: InjectRule;
  readonly place: string;
  readonly to: Destination;
}

export interface Ask extends Planned {
  readonly method: string;
  readonly target: Target;
}

type SkipCode =
  | 'probe_wildcard'
  | 'probe_body_place'
  | 'probe_websocket'
  | 'probe_signature'
  | 'probe_method'
  | 'probe_path'
  | 'probe_too_many';

export interface Skip extends Planned {
  readonly code: SkipCode;
  readonly reason: string;
}

/** In order of preference: what changes nothing first. */
const SAFE = ['GET', 'HEAD', 'OPTIONS'] as const;
const WITH_BODY = ['POST', 'PUT', 'PATCH'] as const;
const METHODS = [...SAFE, ...WITH_BODY, 'DELETE'] as const;
const ROOT: Target = { path: '/', query: null, raw: '/' };

/** One entry for each sealed credential, place and destination. */
export function planProbe(scope: ProbeScope): readonly (Ask | Skip)[] {
  let asked = 0;
  return scope.credentials.flatMap((credential) =>
    destinations(credential, scope).flatMap((to) =>
      credential.inject.map((rule): Ask | Skip => {
        const entry = { credential: credential.name, rule, place: placeText(rule), to };
        const decided = decide(entry, credential, scope);
        if ('code' in decided) return decided;
        asked += 1;
        if (asked <= limits.probeRequestsMax) return decided;
        return skip(entry, 'probe_too_many', `one probe makes ${limits.probeRequestsMax} requests at most`);
      }),
    ),
  );
}

/** Every place that both the rules and the binding name; a wildcard stands for itself and for the names given below it. */
function destinations(credential: ProbedCredential, { rules, hosts }: ProbeScope): readonly Destination[] {
  const found = new Map<string, Destination>();
  for (const { protocol: scheme, host: reachable, port } of rules) {
    if (scheme === 'tcp') continue; // no credential ever goes there
    if (credential.ports?.includes(port) === false) continue;
    for (const bound of credential.hosts) {
      const common = narrower(reachable, bound);
      if (common === null) continue;
      const named = isWildcard(common) ? hosts.filter((host) => matchHost(common, host)) : [];
      for (const host of named.length > 0 ? named : [common])
        found.set(`${scheme}://${host}:${port}`, { scheme, host, port });
    }
  }
  return [...found.values()];
}

const isWildcard = (pattern: string): boolean => pattern.startsWith('*.');

/** What two patterns have in common: one of them, because wildcards are suffixes. */
function narrower(one: string, other: string): string | null {
  if (one === other || contains(other, one)) return one;
  return contains(one, other) ? other : null;
}

const contains = (outer: string, inner: string): boolean =>
  isWildcard(outer) && matchHost(outer, isWildcard(inner) ? inner.slice(2) : inner);

function decide(entry: Planned, credential: ProbedCredential, scope: ProbeScope): Ask | Skip {
  const { to, rule } = entry;
  const carrier = carrierOf(rule);
  if (isWildcard(to.host))
    return skip(entry, 'probe_wildcard', `${to.host} is a wildcard: name a host below it with --host`);
  if (carrier === 'nowhere')
    return skip(entry, 'probe_signature', 'it only signs: the value itself is never sent');
  if (carrier === 'message')
    return skip(entry, 'probe_websocket', 'messages on WebSocket connections are not probed');
  if (carrier === 'body' && !scope.post)
    return skip(entry, 'probe_body_place', 'it goes into a body: allow requests with one with --post');
  const allowed = (method: string, { path }: Target): boolean =>
    matchEgress(scope.rules, { host: to.host, port: to.port, protocol: to.scheme, method, path }).allow &&
    matchBinding(credential, { host: to.host, port: to.port, method, path }).allow;
  const methods = [...(carrier === 'body' ? [] : SAFE), ...(scope.post ? WITH_BODY : [])];
  const targets = targetsFor(entry, credential, scope);
  for (const method of methods) {
    const target = targets.find((candidate) => allowed(method, candidate));
    if (target !== undefined) return { ...entry, method, target };
  }
  const others = METHODS.filter((method) => targets.some((target) => allowed(method, target)));
  if (others.length > 0) return skip(entry, 'probe_method', `only ${others.join(', ')} allowed`);
  const tried = targets.map(({ path }) => path).join(', ');
  return skip(entry, 'probe_path', `no request to ${tried} is allowed: choose another path with --path`);
}

/** The one path that is wanted, or the server's own, and those that the rules name: prefixes, each of which is a path too. */
function targetsFor(
  { to, rule }: Planned,
  credential: ProbedCredential,
  scope: ProbeScope,
): readonly Target[] {
  if ('path' in rule) return [pathTarget(rule.path, '{token}')];
  if (scope.target !== null) return [scope.target];
  const ofRules = scope.rules
    .filter(({ port, host }) => port === to.port && matchHost(host, to.host))
    .flatMap(({ paths }) => paths ?? []);
  const paths = [...new Set([...(credential.paths ?? []), ...ofRules])];
  const { home } = scope;
  return [
    ...(home !== null && home.host === to.host && home.port === to.port ? [home.target] : []),
    ...paths.map((path): Target => ({ path, query: null, raw: path })),
    ROOT,
  ];
}

const skip = (entry: Planned, code: SkipCode, reason: string): Skip => ({ ...entry, code, reason });
