/**
 * A cell's credentials with the places that each declares, made ready to be compared: once for a cell, not once for
 * a request. A rule that the manifest would not accept declares nothing.
 */
import { parsePathTemplate, type PathTemplate } from '../../wire/index.ts';
import { fillFormat } from './injection.ts';
import type { CellEgressSpec, CredentialBinding, HmacRule, InjectRule } from '../ports.ts';

/** A text that is a format with the placeholder in it. */
interface FilledFormat {
  readonly format: string;
  readonly filled: string;
}

export interface BoundCredential {
  readonly binding: CredentialBinding;
  /** By name in lower case. */
  readonly headers: ReadonlyMap<string, FilledFormat>;
  readonly basic: ReadonlySet<'user' | 'password'>;
  readonly queries: ReadonlySet<string>;
  readonly cookies: ReadonlySet<string>;
  readonly paths: readonly PathTemplate[];
  readonly jsonPointers: ReadonlySet<string>;
  readonly formFields: ReadonlySet<string>;
  readonly multipartFields: ReadonlySet<string>;
  readonly messages: readonly FilledFormat[];
  readonly messagePointers: ReadonlySet<string>;
  readonly hmacs: readonly HmacRule[];
}

/** All of a cell's, and those that are asked about requests in which no placeholder was found yet. */
export interface BoundCredentials {
  readonly byName: ReadonlyMap<string, BoundCredential>;
  readonly inBodies: readonly BoundCredential[];
  readonly signing: readonly BoundCredential[];
}

const compiled = new WeakMap<CellEgressSpec, BoundCredentials>();

export function boundCredentials(spec: CellEgressSpec): BoundCredentials {
  const known = compiled.get(spec);
  if (known !== undefined) return known;
  const all = spec.credentials.map(compile);
  const bound: BoundCredentials = {
    byName: new Map(all.map((credential) => [credential.binding.name, credential])),
    inBodies: all.filter(
      ({ jsonPointers, formFields, multipartFields }) =>
        jsonPointers.size + formFields.size + multipartFields.size > 0,
    ),
    signing: all.filter(({ hmacs }) => hmacs.length > 0),
  };
  compiled.set(spec, bound);
  return bound;
}

function compile(binding: CredentialBinding): BoundCredential {
  const { inject, placeholder } = binding;
  const fill = (format: string): FilledFormat => ({ format, filled: fillFormat(format, placeholder) });
  const collect = <T>(read: (rule: InjectRule) => T | null): readonly T[] =>
    inject.map(read).filter((value) => value !== null);
  return {
    binding,
    headers: new Map(
      collect((rule) =>
        'header' in rule ? ([rule.header.toLowerCase(), fill(rule.format)] as const) : null,
      ),
    ),
    basic: new Set(collect((rule) => ('basic' in rule ? rule.basic : null))),
    queries: new Set(collect((rule) => ('query' in rule ? rule.query : null))),
    cookies: new Set(collect((rule) => ('cookie' in rule ? rule.cookie : null))),
    paths: collect((rule) => {
      const template = 'path' in rule ? parsePathTemplate(rule.path) : null;
      return template?.ok === true ? template.value : null;
    }),
    jsonPointers: new Set(collect((rule) => ('json' in rule ? rule.json : null))),
    formFields: new Set(collect((rule) => ('form' in rule ? rule.form : null))),
    multipartFields: new Set(collect((rule) => ('multipart' in rule ? rule.multipart : null))),
    messages: collect((rule) =>
      'websocket' in rule && rule.websocket === 'text' ? fill(rule.format ?? '{token}') : null,
    ),
    messagePointers: new Set(
      collect((rule) => ('websocket' in rule && rule.websocket !== 'text' ? rule.websocket : null)),
    ),
    hmacs: collect((rule) => ('hmac' in rule ? rule.hmac : null)),
  };
}

/** A place in words, for whoever put a placeholder elsewhere. */
export function describePlace(rule: InjectRule): string {
  if ('header' in rule) return `the header ${rule.header}: ${rule.format}`;
  if ('basic' in rule) return `the ${rule.basic} of Basic authentication`;
  if ('query' in rule) return `the query parameter ${rule.query}`;
  if ('cookie' in rule) return `the cookie ${rule.cookie}`;
  if ('path' in rule) return `the path ${rule.path}`;
  if ('json' in rule) return `${rule.json} of a JSON body`;
  if ('form' in rule) return `the form field ${rule.form}`;
  if ('multipart' in rule) return `the field ${rule.multipart} of a multipart form`;
  if ('hmac' in rule) return `the key of the signature in the header ${rule.hmac.header}`;
  return rule.websocket === 'text'
    ? `a WebSocket message that is ${rule.format ?? '{token}'}`
    : `${rule.websocket} of a WebSocket message`;
}
