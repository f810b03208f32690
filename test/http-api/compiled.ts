/** Documents to tools and calls to requests, for tests: what must work is unwrapped, what must fail gives its code. */
import {
  type ApiRequest,
  type ApiTool,
  buildRequest,
  parseBase,
  readOpenApi,
  takenBy,
  toolsFromOpenApi,
} from '../../src/http-api/index.ts';
import type { CredentialSpec, OperationFilter } from '../../src/manifest/index.ts';
import { expect } from 'vitest';

export interface Use {
  readonly filter?: OperationFilter;
  readonly baseUrl?: string;
  readonly credentials?: readonly CredentialSpec[];
}

export function compile(
  text: string,
  { filter = {}, baseUrl = 'https://api.example.com/v1', credentials = [] }: Use = {},
) {
  const read = readOpenApi(text);
  if (!read.ok) throw new Error(`${read.error.code}: ${read.error.message}`);
  const base = parseBase(baseUrl);
  if (!base.ok) throw new Error(base.error.code);
  const compiled = toolsFromOpenApi(read.value, { filter, base: base.value, taken: takenBy(credentials) });
  if (!compiled.ok) throw new Error(`${compiled.error.code}: ${compiled.error.message}`);
  return compiled.value;
}

/** A document of version 3.1 with these paths. */
export const documentOf = (paths: object, more: object = {}): string =>
  JSON.stringify({ openapi: '3.1.0', info: { title: 'T', version: '1' }, paths, ...more });

export function toolNamed(tools: readonly ApiTool[], name: string): ApiTool {
  const found = tools.find((tool) => tool.name === name);
  if (found === undefined)
    throw new Error(`no tool ${name}; there are ${tools.map((tool) => tool.name).join(', ')}`);
  return found;
}

export function requestOf(tool: ApiTool, args: unknown): ApiRequest {
  const built = buildRequest(tool.plan, typeof args === 'string' ? args : JSON.stringify(args));
  if (!built.ok) throw new Error(`${built.error.code}: ${built.error.message}`);
  return built.value;
}

export function faultOf(tool: ApiTool, args: unknown): string {
  const built = buildRequest(tool.plan, typeof args === 'string' ? args : JSON.stringify(args));
  return built.ok ? `no fault: ${built.value.target}` : built.error.code;
}

export const credential = (inject: CredentialSpec['inject']): CredentialSpec => ({
  name: 'KEY',
  tier: 'sealed',
  required: true,
  placeholder: '{alnum:32}',
  hosts: ['api.example.com'],
  inject,
});

/** The tool's definition as a client sees it. */
export function seen(tool: ApiTool): Record<string, unknown> {
  const value: unknown = JSON.parse(tool.definition);
  expect(value).toBeTypeOf('object');
  return { ...Object(value) };
}
