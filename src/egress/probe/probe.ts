/**
 * Probing: a random value is sent where a credential would go, to find out which upstreams send back what they are
 * given. It goes the way of a cell's requests (rules, bindings, address checks, TLS), but needs no cell, and neither
 * sees nor asks for a real value: what is found out is found out before an upstream is trusted with one.
 */
import type { Actor, AuditLog } from '../../audit/index.ts';
import {
  AppError,
  type Clock,
  isAppError,
  type JsonObject,
  limits,
  newId,
  type Random,
  Secret,
  type WorkspaceId,
} from '../../kernel/index.ts';
import { matchHost, normalizeTarget, parseHostname } from '../../wire/index.ts';
import type { Destination } from '../upstream/dial.ts';
import type { UpstreamConnection } from '../message.ts';
import type { EgressRule } from '../ports.ts';
import { refusalCode, toWireRefusal } from '../refusals.ts';
import { createScrubSet } from '../scrub/index.ts';
import { type Echo, EchoSearch, type Searched } from './echo.ts';
import { type Ask, planProbe, type ProbedCredential, type ProbeHome, type Skip } from './plan.ts';
import { probeRequest } from './request.ts';

export interface ProbeOptions {
  /** Path and query to ask for; without it, the first path that the rules allow. */
  readonly path?: string;
  /** Names below wildcards to ask too. */
  readonly hosts?: readonly string[];
  /** Make requests with a body as well. Never DELETE. */
  readonly post?: boolean;
}

export interface ProbeSpec {
  readonly workspace: WorkspaceId;
  /** The server's slug. */
  readonly server: string;
  /** Who wants to know. */
  readonly actor: Actor;
  readonly rules: readonly EgressRule[];
  /** The sealed ones; whether a value is set does not matter. */
  readonly credentials: readonly ProbedCredential[];
  /** The address that the server itself is at, for one that is not a program here. */
  readonly home: URL | null;
  /** A fresh random value of the shape that the credential's placeholders have. */
  canary(credential: string): string;
  readonly options: ProbeOptions;
}

/** What became of one credential in one place at one host. */
export interface ProbeResult {
  readonly credential: string;
  readonly host: string;
  readonly port: number;
  /** `header Authorization`, `basic password`, `query key`, `json /key`. */
  readonly place: string;
  /** `answered`: read to its end or to the limit. `failed`: see `code`. `skipped`: not asked. */
  readonly outcome: 'answered' | 'failed' | 'skipped';
  /** Null when it was not asked. */
  readonly method: string | null;
  readonly path: string | null;
  /** Null without an answer. */
  readonly status: number | null;
  readonly echoed: readonly Echo[];
  /** The answer was longer than `limits.probeAnswerBytesMax`; the rest was not looked at. */
  readonly truncated: boolean;
  /** Why it failed or was not asked, stable; null when it was answered. */
  readonly code: string | null;
  /** The same in words. */
  readonly reason: string | null;
}

export interface ProbeDeps {
  /**
   * A connection by the rules of the data plane, that no request of a cell is on. It stays its owner's.
   * @throws Refusal `egress_upstream_*`
   */
  connect(to: Destination, signal: AbortSignal): Promise<UpstreamConnection>;
  readonly audit: Pick<AuditLog, 'record'>;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Asks for each credential, place and host once, a few at a time. Each request is on record before it leaves.
 *
 * @param tell told in words what is asked
 * @param signal ends it; its reason is thrown where that is an AppError
 * @returns in the order of the manifest
 * @throws AppError `probe_path_invalid`, `probe_host_denied`, `audit_unavailable`, `probe_cancelled`
 */
export async function probe(
  spec: ProbeSpec,
  deps: ProbeDeps,
  tell: (message: string) => void,
  signal: AbortSignal,
): Promise<readonly ProbeResult[]> {
  const { options, rules, credentials } = spec;
  const hosts = (options.hosts ?? []).map((host) => listedHost(host, rules));
  const target = options.path === undefined ? null : targetOf(options.path);
  const home = homeOf(spec.home);
  const plan = planProbe({ rules, credentials, home, hosts, target, post: options.post === true });
  const failed = new AbortController();
  const over = AbortSignal.any([signal, failed.signal]);
  const results: ProbeResult[] = [];
  const entries = plan.entries();
  const work = async (): Promise<void> => {
    try {
      for (const [at, entry] of entries) {
        if (over.aborted) throw cancelled(over);
        results[at] = 'code' in entry ? skipped(entry) : await ask(entry, spec, deps, tell, over);
      }
    } catch (error) {
      failed.abort(error);
      throw error;
    }
  };
  const workers = Array.from({ length: limits.probeRequestsAtOnce }, work);
  await Promise.allSettled(workers); // nothing of it is under way when this returns
  failed.signal.throwIfAborted();
  return results;
}

function listedHost(said: string, rules: readonly EgressRule[]): string {
  const host = parseHostname(said);
  if (host.ok && rules.some((rule) => matchHost(rule.host, host.value))) return host.value;
  throw new AppError('probe_host_denied', `This server may not connect to \`${said}\`.`, {
    kind: 'invalid',
    hint: 'Name a host that its egress rules cover, such as one below a wildcard.',
  });
}

function homeOf(url: URL | null): ProbeHome | null {
  if (url === null) return null;
  const target = normalizeTarget(url.pathname + url.search);
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
  return target.ok ? { host: url.hostname, port, target: target.value } : null;
}

function targetOf(path: string) {
  const target = normalizeTarget(path);
  if (target.ok) return target.value;
  throw new AppError(
    'probe_path_invalid',
    `\`${path}\` is not a path that a request may have (${target.error}).`,
    {
      kind: 'invalid',
      hint: 'Give the path with its leading slash, and a query if need be: /v1/me?full=1.',
    },
  );
}

const cancelled = (signal: AbortSignal): AppError =>
  isAppError(signal.reason)
    ? signal.reason
    : new AppError('probe_cancelled', 'The probe was cancelled; nothing was kept of it.', { kind: 'failed' });

const skipped = ({ credential, place, to, code, reason }: Skip): ProbeResult => ({
  credential,
  host: to.host,
  port: to.port,
  place,
  outcome: 'skipped',
  method: null,
  path: null,
  status: null,
  echoed: [],
  truncated: false,
  code,
  reason,
});

async function ask(
  entry: Ask,
  spec: ProbeSpec,
  deps: ProbeDeps,
  tell: (message: string) => void,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const { audit, clock, random } = deps;
  const { credential, place, to, method, target } = entry;
  const facts: JsonObject = {
    request: newId('req', random),
    scheme: to.scheme,
    host: to.host,
    port: to.port,
    method,
    path: target.path,
    credential,
    place,
  };
  const record = (type: 'egress.request' | 'egress.probed', data: JsonObject) =>
    audit.record({ workspace: spec.workspace, type, actor: spec.actor, server: spec.server, data });
  tell(`${method} ${to.host}${target.path}, ${credential} as ${place}`);
  await record('egress.request', { ...facts, probe: true });
  const startedAt = clock.monotonic();
  const found = await attempt(entry, spec.canary(credential), deps, signal);
  const code = found.failure === null ? null : refusalCode(found.failure);
  await record('egress.probed', {
    ...facts,
    status: found.status,
    echoed: found.echoed.map(({ where, encoding }) => ({ where, encoding })),
    truncated: found.truncated,
    ms: Math.round((clock.monotonic() - startedAt) * 1_000) / 1_000,
    ...(code === null ? {} : { code }),
  });
  if (signal.aborted) throw cancelled(signal);
  return {
    credential,
    host: to.host,
    port: to.port,
    place,
    outcome: code === null ? 'answered' : 'failed',
    method,
    path: target.path,
    status: found.status,
    echoed: found.echoed,
    truncated: found.truncated,
    code,
    reason: found.failure === null ? null : toWireRefusal(found.failure).message,
  };
}

type Found = Omit<Searched, 'refusal'> & { readonly failure: unknown };

/** One request, within its time. */
async function attempt(entry: Ask, canary: string, deps: ProbeDeps, signal: AbortSignal): Promise<Found> {
  const value = Secret.fromString(canary);
  const set = createScrubSet([{ name: entry.credential, mask: '[canary]', value }]);
  value.destroy();
  const expired = new AbortController();
  const timer = setTimeout(() => expired.abort(), limits.probeRequestTimeoutMs);
  const over = AbortSignal.any([signal, expired.signal]);
  try {
    const connection = await deps.connect(entry.to, over);
    const { refusal, ...searched } = await new EchoSearch(set).ask(
      connection,
      probeRequest(entry, canary),
      over,
    );
    return { ...searched, failure: refusal?.at(entry.to) ?? null };
  } catch (failure) {
    return { status: null, echoed: [], truncated: false, failure };
  } finally {
    clearTimeout(timer);
  }
}
