/** What a document says of its API as a whole: what it is called, where it is, how one logs in. Pure. */
import type { Json, JsonObject } from '../../kernel/index.ts';
import type { HttpMethod, InjectRule } from '../../manifest/index.ts';
import { isList, isObject, listAt, objectAt, own, textAt } from '../json-values.ts';
import type { OpenApiText } from './document.ts';
import { operationsOf } from './prune.ts';
import { found } from './references.ts';

/** One value that requests have to bring. */
export interface ApiLogin {
  /** As the document calls it: `api_key`, `basic password`. */
  readonly name: string;
  readonly rule: InjectRule;
  /** Whether some requests may come without it. */
  readonly optional: boolean;
}

export interface ApiDescription {
  readonly title: string;
  readonly version: string;
  /** Addresses as written, variables filled with their defaults; those that are not absolute included. */
  readonly servers: readonly string[];
  readonly logins: readonly ApiLogin[];
  /** That its operations use. */
  readonly methods: readonly HttpMethod[];
}

export function describeOpenApi(text: OpenApiText): ApiDescription {
  const { root } = text;
  const info = objectAt(root, 'info') ?? {};
  return {
    title: textAt(info, 'title') ?? '',
    version: textAt(info, 'version') ?? '',
    servers: text.version === '2.0' ? oldServers(root) : serversOf(root),
    logins: loginsOf(text),
    methods: METHODS.filter((method) => operationsOf(root).some((operation) => operation.method === method)),
  };
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

const serversOf = (root: JsonObject): readonly string[] =>
  listAt(root, 'servers').flatMap((server) => {
    const url = isObject(server) ? textAt(server, 'url') : undefined;
    if (url === undefined || !isObject(server)) return [];
    const variables = objectAt(server, 'variables') ?? {};
    return [
      url.replaceAll(
        /\{([^{}]+)\}/g,
        (hole, name: string) => textAt(objectAt(variables, name) ?? {}, 'default') ?? hole,
      ),
    ];
  });

function oldServers(root: JsonObject): readonly string[] {
  const host = textAt(root, 'host');
  const path = textAt(root, 'basePath') ?? '';
  if (host === undefined) return path === '' ? [] : [path];
  const schemes = listAt(root, 'schemes');
  return [`${schemes.length === 0 || schemes.includes('https') ? 'https' : 'http'}://${host}${path}`];
}

/** The first way to log in that is supported as a whole, of the document or else of its first operation that names one. */
function loginsOf({ root, version }: OpenApiText): readonly ApiLogin[] {
  const schemes =
    (version === '2.0'
      ? objectAt(root, 'securityDefinitions')
      : objectAt(objectAt(root, 'components') ?? {}, 'securitySchemes')) ?? {};
  const general = own(root, 'security');
  const requirement =
    general ??
    operationsOf(root)
      .map(({ operation }) => own(operation, 'security'))
      .find((one) => isList(one) && one.length > 0);
  if (!isList(requirement)) return [];
  const optional = requirement.some((one) => isObject(one) && Object.keys(one).length === 0);
  for (const one of requirement) {
    const logins = alternative(root, schemes, one, optional);
    if (logins !== null && logins.length > 0) return logins;
  }
  return [];
}

/** Null where one of them is not supported, such as a client's certificate. */
function alternative(
  root: JsonObject,
  schemes: JsonObject,
  requirement: Json,
  optional: boolean,
): ApiLogin[] | null {
  if (!isObject(requirement)) return null;
  const logins: ApiLogin[] = [];
  for (const name of Object.keys(requirement)) {
    const scheme = found(root, own(schemes, name));
    const rules = scheme === undefined ? [] : rulesOf(name, scheme);
    if (rules.length === 0) return null;
    logins.push(...rules.map((rule) => ({ ...rule, optional })));
  }
  return logins;
}

type NamedRule = Pick<ApiLogin, 'name' | 'rule'>;

const BEARER: InjectRule = { header: 'Authorization', format: 'Bearer {token}' };

function rulesOf(name: string, scheme: JsonObject): readonly NamedRule[] {
  const type = textAt(scheme, 'type');
  const place = textAt(scheme, 'name') ?? '';
  if (type === 'oauth2' || type === 'openIdConnect') return [{ name, rule: BEARER }];
  if (type === 'apiKey') {
    const where = textAt(scheme, 'in');
    if (where === 'header') return [{ name, rule: { header: place, format: '{token}' } }];
    if (where === 'query') return [{ name, rule: { query: place } }];
    return where === 'cookie' ? [{ name, rule: { cookie: place } }] : [];
  }
  const http =
    type === 'basic' ? 'basic' : type === 'http' ? textAt(scheme, 'scheme')?.toLowerCase() : undefined;
  if (http === 'bearer') return [{ name, rule: BEARER }];
  if (http !== 'basic') return [];
  return [
    { name: `${name} user`, rule: { basic: 'user' } },
    { name: `${name} password`, rule: { basic: 'password' } },
  ];
}
