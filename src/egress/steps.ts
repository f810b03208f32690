/**
 * The way of a request's head through the data plane, as a list. Each step takes what the ones before it
 * made sure of, and either fills in the request or refuses it. Nothing has left and nothing was opened when
 * the last one is done. The order is the point: every entry says why it stands where it stands.
 */
import { limits, ok } from '../kernel/index.ts';
import { matchEgress } from '../policy/index.ts';
import { asksForWebSocket, normalizeTarget, parseAuthority, readWebSocketRequest } from '../wire/index.ts';
import { type Binder, bindHead } from './inject/bind.ts';
import { planBody } from './inject/body-plan.ts';
import { type CorrelationHost, judgeTools } from './correlate.ts';
import { covers } from './inject/claim.ts';
import { reservedInConnection } from './forwarded-fields.ts';
import { watchMethods } from './inject/method-watch.ts';
import { targetOverride } from './overrides.ts';
import { Refusal } from './refusals.ts';
import type { Arrival, EgressRequest } from './request.ts';

/** What the steps ask. */
export interface StepHost extends Binder, CorrelationHost {}

type Step = (request: EgressRequest, host: StepHost) => Refusal | null;

/** Before anything can be refused: a refusal names the calls that it may belong to, as every event does. */
const correlate: Step = (request, { correlation }) => {
  request.occasion = correlation.now();
  return null;
};

/** Before anything is believed, because everything else is said of one request: where it ends must be certain. */
const frame: Step = (request) => {
  const { declared } = request;
  if (!declared.ok) return malformed(declared.error);
  request.framing = declared.value;
  if (request.head.method === 'CONNECT' || request.head.method === 'TRACE')
    return malformed('method_not_forwarded');
  const override = targetOverride(request.head);
  if (override !== null) return malformed(`target_also_in_${override}`);
  const reserved = reservedInConnection(request.head.fields);
  return reserved === null ? null : malformed(`connection_names_${reserved}`);
};

/** Before any rule is asked: rules are about a host, so there must be exactly one (ATTACKS 10). */
const agree: Step = (request) => {
  const { arrival, head } = request;
  const authority = saidAuthority(head.fields.get('host') ?? '', arrival);
  if (!authority.ok) return malformed(authority.error);
  const { host, port } = authority.value;
  if (arrival.names === undefined) return Refusal.bareAddress({ address: arrival.address, saidHost: host });
  const target = agreedTarget(request, authority.value.host, port);
  if (target instanceof Refusal) return target;
  const named = arrival.sni === null ? arrival.names.has(host) : arrival.sni === host;
  if (!named || port !== arrival.port) return mismatch(request, host, port);
  request.host = host;
  request.target = { path: '', query: null, raw: target };
  return null;
};

const defaultPort = (scheme: 'https' | 'http'): number => (scheme === 'https' ? 443 : 80);

/** Most requests say the agreed name in its canonical form, letter by letter: then there is nothing to parse. */
function saidAuthority(host: string, { names, scheme, sni }: Arrival): ReturnType<typeof parseAuthority> {
  const port = defaultPort(scheme);
  const isCanonical = sni === null ? names?.has(host) === true : host === sni;
  return isCanonical ? ok({ host, port, kind: 'name' }) : parseAuthority(host, port);
}

const ABSOLUTE = /^(https?):\/\/([^/?#]*)(.*)$/i;

/** The origin form of the target. An absolute one has to name the same scheme, host and port. */
function agreedTarget(request: EgressRequest, host: string, port: number): string | Refusal {
  const { target } = request.head;
  const parts = ABSOLUTE.exec(target);
  if (parts === null) return target;
  const [, said = '', authority = '', rest = ''] = parts;
  const scheme = said.toLowerCase() === 'https' ? 'https' : 'http';
  const named = parseAuthority(authority, defaultPort(scheme));
  if (!named.ok) return malformed(named.error);
  if (scheme !== request.arrival.scheme || named.value.host !== host || named.value.port !== port) {
    return mismatch(request, named.value.host, named.value.port);
  }
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/** Before rules about paths, which are only as good as the path that they see (ATTACKS 13). */
const normalize: Step = (request) => {
  const target = normalizeTarget(request.target.raw);
  if (!target.ok) return malformed(target.error);
  request.target = target.value;
  return null;
};

/** Before placeholders are looked at: what may not be reached needs no reason beyond that. */
const allow: Step = (request, { spec }) => {
  for (const method of request.methods) {
    const decision = matchEgress(spec.rules, {
      host: request.host,
      port: request.port,
      protocol: request.arrival.scheme,
      method,
      path: request.target.path,
    });
    if (!decision.allow) return Refusal.byPolicy(decision);
  }
  return null;
};

/**
 * What is not relayed is refused now, while a readable answer is still possible. Before the tools are asked, because a
 * WebSocket is no mere reading.
 */
const expect: Step = (request) => {
  const { fields } = request.head;
  const expectation = fields.get('expect');
  if (
    expectation !== undefined &&
    (expectation.toLowerCase() !== '100-continue' || fields.count('expect') > 1)
  ) {
    return Refusal.of('egress_expectation_unsupported');
  }
  /* `h2c` is an offer that may be ignored; anything else is what the client came for. */
  const upgrades = fields.list('upgrade').filter((protocol) => protocol !== 'h2c');
  if (upgrades.length === 0) return null;
  return asksForWebSocket(fields) ? openWebSocket(request) : Refusal.of('egress_upgrade_unsupported');
};

/** A handshake that is not exactly one would leave it open who speaks what on the connection. */
function openWebSocket(request: EgressRequest): Refusal | null {
  const handshake = readWebSocketRequest(request.head);
  if (!handshake.ok) return Refusal.of('egress_websocket_malformed', { reason: handshake.error });
  request.webSocket = handshake.value;
  return null;
}

/**
 * After what the server may do at all, of which this is a part for the tools that run; before placeholders are looked
 * at, so that what a tool is not for is refused whether a key would go with it or not.
 */
const tools: Step = judgeTools;

/**
 * Last, because a binding is about host, port, method and path, and all of them are certain now (G3). Whether a key
 * may be used at this moment is asked when it is opened (`judgeUses`): the body may take its time.
 */
const bind: Step = (request, host) => {
  const refused = bindHead(request, host);
  if (refused !== null) return refused;
  planBody(request, host);
  if (request.bodyMode === 'none' || request.head.method !== 'POST') return null;
  const type = request.head.fields.list('content-type').join(', ');
  request.methodWatch = watchMethods(type, (methods) => judgeMethods(methods, request, host));
  return null;
};

/** What is asked about methods, once more: a body says that the request is one with these too. */
function judgeMethods(methods: readonly string[], request: EgressRequest, host: StepHost): Refusal | null {
  request.alsoMeans(methods);
  const refused = allow(request, host) ?? tools(request, host);
  if (refused !== null) return refused;
  for (const { binding } of request.injections) {
    const decision = covers(binding, request);
    if (!decision.allow) return Refusal.unbound(decision, { credential: binding.name, place: 'the body' });
  }
  return null;
}

const HEAD_STEPS: readonly Step[] = [correlate, frame, agree, normalize, allow, expect, tools, bind];

/** @returns why the request is refused, or null when it may go on */
export function judgeHead(request: EgressRequest, host: StepHost): Refusal | null {
  for (const step of HEAD_STEPS) {
    const refused = step(request, host);
    if (refused !== null) return refused;
  }
  return null;
}

const malformed = (reason: string): Refusal => Refusal.of('egress_request_malformed', { reason });

function mismatch({ arrival }: EgressRequest, host: string, port: number): Refusal {
  const names = [...(arrival.names ?? [])].slice(0, limits.refusalNamesMax);
  const expected = arrival.sni ?? names.join(' or ');
  return Refusal.of(
    'egress_name_mismatch',
    { allowed: arrival.port === 443 || arrival.port === 80 ? expected : `${expected}:${arrival.port}` },
    { saidHost: host, saidPort: port, sni: arrival.sni, names },
  );
}
