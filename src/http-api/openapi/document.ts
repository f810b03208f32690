/**
 * The text of an OpenAPI document to a value that is safe to walk: bounded in size and depth, with nothing in it but what
 * JSON has. Hostile until it is here.
 */
import { type Json, type JsonObject, limits, err, ok, type Result } from '../../kernel/index.ts';
import { parse } from 'yaml';
import type { ApiFault } from '../faults.ts';
import { isObject, objectAt, textAt } from '../json-values.ts';

/** A document as it was written, whichever version. */
export interface OpenApiText {
  readonly root: JsonObject;
  readonly version: '2.0' | '3.0' | '3.1' | '3.2';
}

const JSON_MARK = /"(?:openapi|swagger)"\s*:\s*"[23]\.\d/;
const YAML_MARK = /^["']?(?:openapi|swagger)["']?\s*:\s*["']?[23]\.\d/m;

/** Whether a text is meant as an OpenAPI document, for files whose name does not say it. Manifests name a file there. */
export const looksLikeOpenApi = (text: string): boolean =>
  (/^\s*\{/.test(text) ? JSON_MARK : YAML_MARK).test(text);

/** Codes: `api_document_too_large`, `api_document_malformed`, `api_document_too_deep`, `api_document_version`. */
export function readOpenApi(text: string): Result<OpenApiText, ApiFault> {
  const isJson = /^\s*\{/.test(text);
  const bytes = Buffer.byteLength(text);
  const bytesMax = isJson ? limits.openApiJsonBytesMax : limits.openApiYamlBytesMax;
  if (bytes > bytesMax) {
    return err({
      code: 'api_document_too_large',
      message: `The document has ${Math.ceil(bytes / limits.MIB)} MiB; ${bytesMax / limits.MIB} MiB are read at most.`,
      ...(isJson ? {} : { hint: 'JSON may be larger than YAML: most publishers offer both.' }),
    });
  }
  const root = valueOf(text, isJson);
  if (!root.ok) return root;
  const version = versionOf(root.value);
  if (version !== null && objectAt(root.value, 'paths') !== undefined)
    return ok({ root: root.value, version });
  return err({
    code: 'api_document_version',
    message:
      version === null
        ? 'This is no OpenAPI document: it says neither `openapi: 3.…` nor `swagger: "2.0"`.'
        : 'This document has no `paths`, so there is nothing to call.',
  });
}

function valueOf(text: string, isJson: boolean): Result<JsonObject, ApiFault> {
  let value: Json;
  try {
    value = isJson ? JSON.parse(text) : parse(text, { version: '1.2', merge: true, maxAliasCount: 100 });
  } catch (error) {
    const [reason = ''] = (error instanceof Error ? error.message : '').split('\n');
    return err({
      code: 'api_document_malformed',
      message: `The document is no ${isJson ? 'JSON' : 'YAML'}: ${reason.slice(0, 200)}`,
    });
  }
  if (!isObject(value)) {
    return err({ code: 'api_document_malformed', message: 'The document is no map.' });
  }
  return isPlain(value)
    ? ok(value)
    : err({
        code: 'api_document_too_deep',
        message: `The document has more than ${limits.openApiDepthMax} levels, or values that JSON does not have.`,
      });
}

/** Whether nothing is deeper than allowed, and all is JSON. Needs no stack of its own. */
function isPlain(root: unknown): boolean {
  let level: unknown[] = [root];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > limits.openApiDepthMax) return false;
    const next: unknown[] = [];
    for (const value of level) {
      if (typeof value === 'object' && value !== null) {
        for (const member of Object.values(value)) next.push(member);
      } else if (typeof value === 'number' ? !Number.isFinite(value) : !isScalar(value)) return false;
    }
    level = next;
  }
  return true;
}

const isScalar = (value: unknown): boolean =>
  value === null || typeof value === 'string' || typeof value === 'boolean';

function versionOf(root: JsonObject): OpenApiText['version'] | null {
  if (textAt(root, 'swagger') === '2.0') return '2.0';
  const said = /^3\.([012])(?:\.\d+)?(?:-.*)?$/.exec(textAt(root, 'openapi') ?? '')?.[1];
  if (said === undefined) return null;
  return said === '0' ? '3.0' : said === '1' ? '3.1' : '3.2';
}
