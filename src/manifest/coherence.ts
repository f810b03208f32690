/** What the parts of a manifest must agree on: names said once, credentials that can arrive, variables that do not collide. */
import type { CredentialSpec, EgressRule, Manifest } from './types.ts';
import { type Cursor, type Fields, itemsOf, refuse } from './fields.ts';
import { covers } from './host-pattern.ts';
import type { Report } from './report.ts';

/** @param fields the document's own fields, for the places of what is found */
export function checkCoherence(manifest: Manifest, fields: Fields, report: Report): void {
  const items = itemsAt(fields.get('credentials'));
  const names = new Map<string, number>();
  const variables = new Map<string, string>();
  if (manifest.server.kind === 'sandboxed') {
    for (const name of Object.keys(manifest.server.env)) variables.set(name, 'server.env');
  }
  for (const [index, credential] of manifest.credentials.entries()) {
    const item = items[index];
    if (item === undefined) continue;
    const place = placeOf(item);
    const earlier = names.get(credential.name);
    if (earlier !== undefined) {
      refuse(
        place('name'),
        {
          code: 'manifest_credential_repeated',
          message: `the name ${credential.name} is taken by credentials[${earlier}]`,
          expected: 'a name of its own',
        },
        report,
      );
    }
    names.set(credential.name, index);
    if (manifest.server.kind === 'remote' && LOGIN_SLOTS.has(credential.name)) {
      refuse(
        place('name'),
        {
          code: 'manifest_credential_reserved',
          message: `${credential.name} is where the gateway keeps a part of a login, which goes to nobody by a manifest`,
          expected: 'another name',
        },
        report,
      );
    }
    checkVariable({ credential, place, variables, sandboxed: manifest.server.kind === 'sandboxed' }, report);
    checkReach(credential, manifest.egress, place, report);
  }
  checkOpaque(manifest, fields, report);
  checkAddress(manifest, fields, report);
}

/**
 * Of a remote server, these hold what a login to it brought: with a credential of the same name a manifest could have the
 * refresh token sent to the server, or the client's secret.
 */
const LOGIN_SLOTS: ReadonlySet<string> = new Set([
  'OAUTH_ACCESS_TOKEN',
  'OAUTH_REFRESH_TOKEN',
  'OAUTH_CLIENT_SECRET',
]);

/**
 * What goes through `tcp` is neither read nor scrubbed. A host that gets a sealed value could send it back there,
 * whatever port the value is bound to; so no sealed credential may have a host in common with such a rule.
 */
function checkOpaque({ credentials, egress, server }: Manifest, fields: Fields, report: Report): void {
  const items = itemsAt(fields.get('egress'));
  for (const [index, rule] of egress.entries()) {
    const item = items[index];
    if (rule.protocol !== 'tcp' || item === undefined) continue;
    if (server.kind === 'sandboxed' && server.addresses === 'real') {
      refuse(
        placeOf(item)('protocol'),
        {
          code: 'manifest_tcp_addresses',
          message:
            'a connection that is passed on unread is told by its address alone, and several names may share a true one',
          expected: 'the protocol https, or server.addresses: synthetic',
        },
        report,
      );
    }
    const sealed = credentials.find(
      ({ tier, hosts }) => tier === 'sealed' && hosts.some((host) => overlap(host, rule.host)),
    );
    if (sealed === undefined) continue;
    refuse(
      placeOf(item)('protocol'),
      {
        code: 'manifest_tcp_sealed',
        message: `${rule.host} may get the sealed credential ${sealed.name}, and could send it back through a connection that is passed on unread`,
        expected: `the protocol https, another host, or the tier entrusted for ${sealed.name}`,
      },
      report,
    );
  }
}

/** Whether some host is covered by both patterns. */
const overlap = (one: string, other: string): boolean => covers(one, other) || covers(other, one);

type Place = (key: string) => Cursor;

/** The value of a credential's key, or the credential itself where the key is absent. */
const placeOf =
  (item: Cursor): Place =>
  (key) => {
    const entry = item.node.kind === 'map' ? item.node.entries.get(key) : undefined;
    return entry === undefined ? item : { node: entry.value, path: `${item.path}.${key}` };
  };

const itemsAt = (cursor: Cursor | undefined): readonly Cursor[] =>
  cursor?.node.kind === 'list' ? itemsOf(cursor.node, cursor.path) : [];

function checkVariable(
  {
    credential,
    place,
    variables,
    sandboxed,
  }: { credential: CredentialSpec; place: Place; variables: Map<string, string>; sandboxed: boolean },
  report: Report,
): void {
  const { env, name, tier } = credential;
  if (!sandboxed) {
    if (env !== undefined) {
      refuse(
        place('env'),
        {
          code: 'manifest_env_without_cell',
          message: 'only a sandboxed server has an environment',
          expected: 'no env',
        },
        report,
      );
    }
    return;
  }
  if (env === undefined) {
    if (tier === 'sealed') {
      report.warn(place('name').node.at, place('name').path, {
        code: 'manifest_sealed_without_env',
        message: `the server is never given the placeholder of ${name}, so it cannot ask for the value`,
        expected: 'env with the name of the variable that the server reads',
      });
    }
    return;
  }
  const owner = variables.get(env);
  if (owner !== undefined) {
    refuse(
      place('env'),
      {
        code: 'manifest_env_repeated',
        message: `the variable ${env} is already set by ${owner}`,
        expected: 'a variable of its own',
      },
      report,
    );
  }
  variables.set(env, `the credential ${name}`);
}

/** A credential that can never reach one of its hosts is a mistake in one of the two lists. */
function checkReach(
  credential: CredentialSpec,
  egress: readonly EgressRule[],
  place: Place,
  report: Report,
): void {
  const listed = itemsAt(place('hosts'));
  const reachable: EgressRule[] = [];
  for (const [index, host] of credential.hosts.entries()) {
    const rules = egress.filter((rule) => covers(rule.host, host));
    reachable.push(...rules);
    if (rules.length === 0) {
      refuse(
        listed[index] ?? place('hosts'),
        {
          code: 'manifest_credential_unreachable',
          message: `egress does not allow ${host}`,
          expected:
            egress.length === 0
              ? `an egress rule for ${host}`
              : `one of ${egress.map((rule) => rule.host).join(', ')}, or an egress rule for ${host}`,
        },
        report,
      );
    }
  }
  if (reachable.length < credential.hosts.length || credential.hosts.length === 0) return;
  const inScope = reachable.filter(
    (rule) => credential.ports === undefined || credential.ports.includes(rule.port),
  );
  for (const [index, port] of (credential.ports ?? []).entries()) {
    if (reachable.some((rule) => rule.port === port)) continue;
    refuse(
      itemsAt(place('ports'))[index] ?? place('ports'),
      {
        code: 'manifest_credential_unreachable',
        message: `egress allows no port ${port} on the credential's hosts`,
        expected: `one of ${[...new Set(reachable.map((rule) => rule.port))].join(', ')}`,
      },
      report,
    );
  }
  for (const [index, method] of (credential.methods ?? []).entries()) {
    if (
      inScope.length === 0 ||
      inScope.some((rule) => rule.methods === undefined || rule.methods.includes(method))
    )
      continue;
    refuse(
      itemsAt(place('methods'))[index] ?? place('methods'),
      {
        code: 'manifest_credential_unreachable',
        message: `egress allows no ${method} to the credential's hosts`,
        expected: 'a method that egress allows',
      },
      report,
    );
  }
  for (const [index, path] of (credential.paths ?? []).entries()) {
    if (
      inScope.length === 0 ||
      inScope.some((rule) => rule.paths === undefined || rule.paths.some((other) => overlapping(other, path)))
    )
      continue;
    refuse(
      itemsAt(place('paths'))[index] ?? place('paths'),
      {
        code: 'manifest_credential_unreachable',
        message: `egress allows no path below ${path} on the credential's hosts`,
        expected: 'a path that egress allows',
      },
      report,
    );
  }
  if (credential.tier === 'sealed' && inScope.some((rule) => rule.protocol === 'http')) {
    report.warn(place('hosts').node.at, place('hosts').path, {
      code: 'manifest_credential_in_clear',
      message: 'the value would travel unencrypted, because egress says http for one of its hosts',
      expected: 'https',
    });
  }
}

/** Whether some path is below both prefixes. */
function overlapping(left: string, right: string): boolean {
  const [a, b] = [left, right].map((path) => (path.endsWith('/') ? path : `${path}/`));
  return a !== undefined && b !== undefined && (a.startsWith(b) || b.startsWith(a));
}

/** The server's own address is no exception from the list of what may be reached. */
function checkAddress({ server, egress }: Manifest, fields: Fields, report: Report): void {
  if (server.kind === 'sandboxed') return;
  const text = server.kind === 'remote' ? server.url : server.baseUrl;
  if (!URL.canParse(text)) return;
  const { hostname, port, protocol } = new URL(text);
  const number = port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
  if (
    egress.some(
      (rule) => covers(rule.host, hostname) && rule.port === number && `${rule.protocol}:` === protocol,
    )
  )
    return;
  const serverAt = fields.get('server');
  if (serverAt === undefined) return;
  refuse(
    placeOf(serverAt)(server.kind === 'remote' ? 'url' : 'baseUrl'),
    {
      code: 'manifest_url_unreachable',
      message: `egress does not allow ${protocol}//${hostname}:${number}`,
      expected: `an egress rule { host: ${hostname}, port: ${number}, protocol: ${protocol.slice(0, -1)} }`,
    },
    report,
  );
}
