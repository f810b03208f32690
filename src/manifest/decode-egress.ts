/** `egress`: the places that a server may connect to. */
import type { EgressRule } from './types.ts';
import { type Cursor, readChoice, readEach, readFields, readList, refuse } from './fields.ts';
import { isInternalName } from './host-pattern.ts';
import type { Report } from './report.ts';
import { readHost, readMethods, readPaths, readPort } from './request-scope.ts';

const KEYS = ['host', 'port', 'protocol', 'methods', 'paths'] as const;
const PROTOCOLS = ['https', 'http', 'tcp'] as const;
/** Null: it has to be said. */
export const defaultPorts = { https: 443, http: 80, tcp: null } as const;

export function readEgress(cursor: Cursor | undefined, report: Report): readonly EgressRule[] | undefined {
  if (cursor === undefined) return [];
  const items = readList(cursor, 'a list of { host: NAME }', report);
  const rules = readEach(items, (item) => readRule(item, report));
  if (items !== undefined && rules !== undefined) checkTogether(items, rules, report);
  return rules;
}

function readRule(cursor: Cursor, report: Report): EgressRule | undefined {
  const fields = readFields(cursor, KEYS, report);
  if (fields === undefined) return undefined;
  const host = readHost(fields.need('host', 'a host name such as api.example.com'), report);
  const protocolAt = fields.get('protocol');
  const protocol = protocolAt === undefined ? 'https' : readChoice(protocolAt, PROTOCOLS, report);
  const portAt = fields.get('port');
  const usualPort = defaultPorts[protocol ?? 'https'];
  const port =
    portAt === undefined && usualPort !== null
      ? usualPort
      : readPort(fields.need('port', 'a port: `tcp` has no usual one'), report);
  const methodsAt = fields.get('methods');
  const methods = readMethods(methodsAt, report);
  const pathsAt = fields.get('paths');
  const paths = readPaths(pathsAt, report);
  if (protocol === 'tcp') refuseUnread(methodsAt ?? pathsAt, report);
  if (host === undefined || protocol === undefined || port === undefined) return undefined;
  if ((methodsAt !== undefined && methods === undefined) || (pathsAt !== undefined && paths === undefined))
    return undefined;
  if (isInternalName(host)) {
    report.warn(cursor.node.at, `${cursor.path}.host`, {
      code: 'manifest_host_internal',
      message: `${JSON.stringify(host)} is a name of the local network; it is refused at run time unless the owner allows that network`,
      expected: 'a name on the internet',
    });
  }
  return {
    host,
    port,
    protocol,
    ...(methods === undefined ? {} : { methods }),
    ...(paths === undefined ? {} : { paths }),
  };
}

/** What nobody reads has neither methods nor paths that anybody could hold it to. */
function refuseUnread(at: Cursor | undefined, report: Report): void {
  if (at === undefined) return;
  refuse(
    at,
    {
      code: 'manifest_tcp_unread',
      message: 'connections of the protocol tcp are passed on unread: there are no requests to judge',
      expected: 'neither methods nor paths, or the protocol https',
    },
    report,
  );
}

/** One port of one host speaks one protocol, and no rule says what another has said already. */
function checkTogether(items: readonly Cursor[], rules: readonly EgressRule[], report: Report): void {
  const protocols = new Map<string, string>();
  const seen = new Set<string>();
  for (const [index, rule] of rules.entries()) {
    const item = items[index];
    if (item === undefined) continue;
    const place = `${rule.host}:${rule.port}`;
    const earlier = protocols.get(place);
    if (earlier !== undefined && earlier !== rule.protocol) {
      refuse(
        item,
        {
          code: 'manifest_egress_protocol',
          message: `${place} speaks ${earlier} in an earlier rule and ${rule.protocol} here`,
          expected: 'one protocol for each host and port',
        },
        report,
      );
    }
    protocols.set(place, rule.protocol);
    const whole = JSON.stringify(rule);
    if (seen.has(whole)) {
      refuse(
        item,
        {
          code: 'manifest_repeated',
          message: `the rule for ${place} is in the list twice`,
          expected: 'each once',
        },
        report,
      );
    }
    seen.add(whole);
  }
}
