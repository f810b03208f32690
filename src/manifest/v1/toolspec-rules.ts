/** The rules of a toolspec, alone and beside its manifest. */
import { httpMethods } from '../request-scope.ts';
import type { Places, Steps } from './places.ts';
import { checkEgressEntry, checkIdentity, checkUnique, egressAllows } from './rules.ts';
import type { ManifestV1, SpecParam, SpecTool, ToolSpec } from './types.ts';

const METHODS: readonly string[] = httpMethods.filter((method) => method !== 'HEAD' && method !== 'OPTIONS');
const BODY_METHODS = ['POST', 'PUT', 'PATCH'];
const ENCODINGS = ['', 'json', 'form'];
const IN = ['path', 'query', 'body', 'header'];
const TYPES = ['string', 'integer', 'number', 'boolean', 'object', 'array'];

const quoted = (value: string): string => JSON.stringify(value);

export function checkToolSpec(spec: ToolSpec, places: Places): void {
  checkIdentity(spec, places);
  checkBaseUrl(spec.baseUrl, ['baseUrl'], places);
  if (spec.auth !== null) {
    if (spec.auth.header === '')
      places.error(
        ['auth', 'header'],
        'manifest_missing_key',
        'it is missing or empty',
        'the name of a header',
      );
    if (!spec.auth.format.includes('{token}')) {
      places.error(
        ['auth', 'format'],
        'manifest_format_token',
        'the format has no {token}',
        'e.g. "Bearer {token}"',
      );
    }
  }
  if (spec.tools.length === 0)
    places.error(['tools'], 'manifest_list_empty', 'there are no tools', 'at least one tool');
  const names = new Set<string>();
  for (const [index, tool] of spec.tools.entries()) {
    const steps: Steps = ['tools', index];
    checkUnique(tool.name, names, [...steps, 'name'], places);
    checkTool(tool, steps, places);
    checkParams(tool, spec.auth?.header, steps, places);
    checkPath(tool, steps, places);
  }
}

/** `https://HOST` alone: tool paths are appended to it, and the host is looked up in the manifest's egress. */
function checkBaseUrl(url: string, steps: Steps, places: Places): void {
  const host = /^https:\/\/([^/?#@:]+)$/.exec(url)?.[1];
  if (host === undefined) {
    places.error(
      steps,
      'toolspec_base_url',
      `${quoted(url)} is not possible`,
      'https://HOST without port, path, query or user',
    );
    return;
  }
  checkEgressEntry(host, steps, places);
}

function checkTool(tool: SpecTool, steps: Steps, places: Places): void {
  if (!METHODS.includes(tool.method)) {
    places.error(
      [...steps, 'method'],
      'manifest_unknown_choice',
      `the method ${quoted(tool.method)} is unknown`,
      `one of ${METHODS.join(', ')}`,
    );
  }
  if (tool.baseUrl !== '') checkBaseUrl(tool.baseUrl, [...steps, 'baseUrl'], places);
  if (!ENCODINGS.includes(tool.encoding)) {
    places.error(
      [...steps, 'encoding'],
      'manifest_unknown_choice',
      `the encoding ${quoted(tool.encoding)} is unknown`,
      'json, form, or none for json',
    );
  }
  if (tool.description === '') {
    places.error(
      [...steps, 'description'],
      'manifest_missing_key',
      'it is missing or empty',
      'what the tool does: models choose by it',
    );
  }
}

function checkParams(tool: SpecTool, authHeader: string | undefined, steps: Steps, places: Places): void {
  const names = new Set<string>();
  for (const [index, param] of tool.params.entries()) {
    const at: Steps = [...steps, 'params', index];
    // All parameters become properties of one input schema, wherever each is sent.
    checkUnique(param.name, names, [...at, 'name'], places);
    checkParam(param, tool.method, at, places);
    if (
      param.in === 'header' &&
      authHeader !== undefined &&
      param.name.toLowerCase() === authHeader.toLowerCase()
    ) {
      places.error(
        [...at, 'name'],
        'toolspec_param_auth_header',
        `${quoted(param.name)} is the header of the credential`,
        'another header',
      );
    }
  }
}

function checkParam(param: SpecParam, method: string, at: Steps, places: Places): void {
  if (!IN.includes(param.in)) {
    places.error(
      [...at, 'in'],
      'manifest_unknown_choice',
      `the place ${quoted(param.in)} is unknown`,
      `one of ${IN.join(', ')}`,
    );
  }
  if (!TYPES.includes(param.type)) {
    places.error(
      [...at, 'type'],
      'manifest_unknown_choice',
      `the type ${quoted(param.type)} is unknown`,
      `one of ${TYPES.join(', ')}`,
    );
  }
  if (param.in === 'path' && !param.required) {
    places.error(
      [...at, 'required'],
      'toolspec_path_param_optional',
      `the path parameter ${quoted(param.name)} is not required`,
      'required: true',
    );
  }
  if (param.in === 'body' && !BODY_METHODS.includes(method)) {
    places.error(
      [...at, 'in'],
      'toolspec_body_not_allowed',
      `a ${method} request has no body`,
      `query, or one of the methods ${BODY_METHODS.join(', ')}`,
    );
  }
}

/** The braces in a path and the path parameters must be the same names. */
function checkPath(tool: SpecTool, steps: Steps, places: Places): void {
  if (!tool.path.startsWith('/')) {
    places.error(
      [...steps, 'path'],
      'manifest_path_invalid',
      `${quoted(tool.path)} is not an absolute path`,
      'e.g. /v1/items/{id}',
    );
  }
  const holes = new Set([...tool.path.matchAll(/\{([^{}/]+)\}/g)].map((match) => match[1] ?? ''));
  const declared = new Set(tool.params.filter((param) => param.in === 'path').map((param) => param.name));
  for (const hole of holes) {
    if (!declared.has(hole)) {
      places.error(
        [...steps, 'path'],
        'toolspec_path_hole',
        `{${hole}} in the path is no parameter`,
        `a parameter { name: ${hole}, in: path, required: true }`,
      );
    }
  }
  for (const [index, param] of tool.params.entries()) {
    if (param.in === 'path' && !holes.has(param.name)) {
      places.error(
        [...steps, 'params', index, 'name'],
        'toolspec_path_param_unused',
        `the path ${quoted(tool.path)} has no {${param.name}}`,
        `{${param.name}} in the path, or another place`,
      );
    }
  }
}

/** What a toolspec and its manifest must agree on. Findings stand in the toolspec. */
export function checkPair(spec: ToolSpec, manifest: ManifestV1, places: Places): void {
  for (const key of ['name', 'version'] as const) {
    if (spec[key] !== manifest[key]) {
      places.error(
        [key],
        'toolspec_pair_identity',
        `the manifest's ${key} is ${quoted(manifest[key])}`,
        quoted(manifest[key]),
      );
    }
  }
  const declared = new Set(manifest.tools.map((tool) => tool.name));
  const mapped = new Set(spec.tools.map((tool) => tool.name));
  for (const name of declared) {
    if (!mapped.has(name))
      places.error(
        ['tools'],
        'toolspec_pair_tools',
        `the manifest's tool ${quoted(name)} is missing`,
        'every tool of the manifest',
      );
  }
  for (const [index, tool] of spec.tools.entries()) {
    const steps: Steps = ['tools', index];
    if (!declared.has(tool.name)) {
      places.error(
        [...steps, 'name'],
        'toolspec_pair_tools',
        `the manifest has no tool ${quoted(tool.name)}`,
        'only tools of the manifest',
      );
    }
    if (tool.baseUrl !== '') checkAllowed(tool.baseUrl, manifest, [...steps, 'baseUrl'], places);
  }
  checkAllowed(spec.baseUrl, manifest, ['baseUrl'], places);
  if (manifest.tier === 'entrusted' && manifest.credentials.length > 0 && spec.auth === null) {
    places.error(
      ['auth'],
      'toolspec_pair_auth',
      'the manifest is entrusted, so the toolspec has to say where the value goes',
      'auth with header and format',
    );
  }
  if (manifest.tier === 'sealed' && spec.auth !== null) {
    places.error(
      ['auth'],
      'toolspec_pair_auth',
      'the manifest is sealed and says itself where the value goes',
      'no auth',
    );
  }
}

function checkAllowed(url: string, manifest: ManifestV1, steps: Steps, places: Places): void {
  const host = /^https:\/\/([^/]+)$/.exec(url)?.[1];
  if (host === undefined || egressAllows(manifest.entitlements.egress, host)) return;
  const listed = manifest.entitlements.egress.join(', ');
  places.error(
    steps,
    'toolspec_pair_egress',
    `the manifest's egress does not allow ${quoted(host)}`,
    listed === '' ? 'an egress entry' : `one of ${listed}`,
  );
}
