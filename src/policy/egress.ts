/**
 * Where a cell may connect, and which requests a credential may be put into. Hosts, methods and paths must be
 * in the canonical form that `wire` gives them. An empty list reaches nothing.
 */
import { matchHost } from '../wire/index.ts';
import { coversMethod, coversPath } from './coverage.ts';
import { listed, type Permission, type Refusal, refuse } from './decision.ts';

/** One place that a cell may connect to. */
export interface EgressRuleLike {
  readonly host: string;
  readonly port: number;
  readonly protocol: 'https' | 'http' | 'tcp';
  /** Absent: every method. */
  readonly methods?: readonly string[];
  /** Absent: every path. */
  readonly paths?: readonly string[];
}

/** A connection, and of the request in it as much as is known yet. */
export interface EgressRequest {
  readonly host: string;
  readonly port: number;
  readonly protocol?: 'https' | 'http' | 'tcp';
  /** Upper case, as in the request line. */
  readonly method?: string;
  /** Normalised path without the query. */
  readonly path?: string;
}

export type EgressRefusalCode =
  | 'egress_host_denied'
  | 'egress_port_denied'
  | 'egress_protocol_denied'
  | 'egress_method_denied'
  | 'egress_path_denied';

export type EgressDecision<Rule> =
  | (Permission & { /** Every rule that covers the request, never empty. */ readonly rules: readonly Rule[] })
  | Refusal<EgressRefusalCode>;

/**
 * Whether one rule covers all of the request. What the request does not say yet is not asked: call it for the
 * host and port before a certificate is minted, and again with protocol, method and path for each request.
 */
export function matchEgress<Rule extends EgressRuleLike>(
  rules: readonly Rule[],
  request: EgressRequest,
): EgressDecision<Rule> {
  const { host, port, protocol, method, path } = request;
  const byHost = rules.filter((rule) => matchHost(rule.host, host));
  if (byHost.length === 0) {
    return refuse(
      'egress_host_denied',
      `This server may not connect to ${host}. It may reach ${listed(unique(rules.map((rule) => rule.host)))}.`,
      `Add an egress rule for ${host} to the server's manifest, if it should.`,
    );
  }
  const byPort = byHost.filter((rule) => rule.port === port);
  if (byPort.length === 0) {
    return refuse(
      'egress_port_denied',
      `This server may not connect to ${host} on port ${port}, only on ${listed(unique(byHost.map((rule) => rule.port)))}.`,
      `Add an egress rule for ${host} with port ${port} to the server's manifest, if it should.`,
    );
  }
  const byProtocol = byPort.filter((rule) => protocol === undefined || rule.protocol === protocol);
  if (byProtocol.length === 0) {
    return refuse(
      'egress_protocol_denied',
      `This server may speak ${listed(unique(byPort.map((rule) => rule.protocol)))} to ${host}:${port}, not ${protocol}.`,
      `Use ${listed(unique(byPort.map((rule) => rule.protocol)))}.`,
    );
  }
  const byMethod = byProtocol.filter((rule) => coversMethod(rule.methods, method));
  if (byMethod.length === 0) {
    return refuse(
      'egress_method_denied',
      `This server may not use ${method} at ${host}, only ${listed(unique(byProtocol.flatMap((rule) => rule.methods ?? [])))}.`,
      `Add ${method} to the methods of the egress rule for ${host}, if it should.`,
    );
  }
  const byPath = byMethod.filter((rule) => coversPath(rule.paths, path));
  if (byPath.length === 0) {
    return refuse(
      'egress_path_denied',
      `This server may not reach ${path} at ${host}, only what is below ${listed(unique(byMethod.flatMap((rule) => rule.paths ?? [])))}.`,
      `Add a prefix of ${path} to the paths of the egress rule for ${host}, if it should.`,
    );
  }
  return { allow: true, rules: byPath };
}

/** The requests that a credential may be put into. */
export interface BindingLike {
  readonly name: string;
  readonly hosts: readonly string[];
  /** Absent: every port that egress allows. */
  readonly ports?: readonly number[];
  /** Absent: every method that egress allows. */
  readonly methods?: readonly string[];
  /** Absent: every path that egress allows. */
  readonly paths?: readonly string[];
}

export interface BoundRequest {
  readonly host: string;
  readonly port: number;
  readonly method: string;
  readonly path: string;
}

export type BindingRefusalCode =
  | 'credential_host_denied'
  | 'credential_port_denied'
  | 'credential_method_denied'
  | 'credential_path_denied';

/** Whether a credential may be put into a request that egress has allowed. */
export function matchBinding(
  binding: BindingLike,
  request: BoundRequest,
): Permission | Refusal<BindingRefusalCode> {
  const { host, port, method, path } = request;
  const { name } = binding;
  if (!binding.hosts.some((pattern) => matchHost(pattern, host))) {
    return refuse(
      'credential_host_denied',
      `${name} may not be sent to ${host}. It is bound to ${listed(binding.hosts)}.`,
      `Add ${host} to the hosts of ${name} in the server's manifest, if it belongs there.`,
    );
  }
  if (binding.ports !== undefined && !binding.ports.includes(port)) {
    return refuse(
      'credential_port_denied',
      `${name} may not be sent to port ${port} of ${host}. It is bound to ${listed(binding.ports)}.`,
      `Add ${port} to the ports of ${name} in the server's manifest, if it belongs there.`,
    );
  }
  if (!coversMethod(binding.methods, method)) {
    return refuse(
      'credential_method_denied',
      `${name} may not be used with ${method}, only with ${listed(binding.methods ?? [])}.`,
      `Add ${method} to the methods of ${name} in the server's manifest, if it should be.`,
    );
  }
  if (!coversPath(binding.paths, path)) {
    return refuse(
      'credential_path_denied',
      `${name} may not be sent to ${path}, only to what is below ${listed(binding.paths ?? [])}.`,
      `Add a prefix of ${path} to the paths of ${name} in the server's manifest, if it belongs there.`,
    );
  }
  return { allow: true };
}

const unique = <T>(items: readonly T[]): T[] => [...new Set(items)];
