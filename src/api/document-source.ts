/**
 * A server by the description of an HTTP API: an OpenAPI document or a toolspec alone, for which a manifest is made, or a
 * manifest that names one. The document is kept with the server as it was: what it becomes elsewhere changes nothing here.
 */
import { looksLikeOpenApi, parseBase } from '../http-api/index.ts';
import type { ApiDescription, ApiFault, ApiUse, Base } from '../http-api/index.ts';
import { AppError, limits, type Result } from '../kernel/index.ts';
import {
  type ApiServerSpec,
  type CredentialSpec,
  documentHash,
  defaultPlaceholder,
  looksLikeToolSpec,
  type Manifest,
  parseManifest,
  parseToolSpec,
} from '../manifest/index.ts';
import { complete } from './checked-manifest.ts';
import type { Follower } from './packages.ts';
import type { ApiCompiler, DocumentSource, ServerDocument } from './ports.ts';
import type { AddServer } from './server-schemas.ts';

/** Whether the text of a source is the description of an API rather than a manifest. */
export const isDescription = (text: string): boolean => looksLikeOpenApi(text) || looksLikeToolSpec(text);

export interface DescriptionWish {
  readonly input: AddServer;
  readonly apis: ApiCompiler;
}

export interface DescribedApi {
  readonly manifest: Manifest;
  readonly document: ServerDocument;
  /** What came of it, for whoever adds it. */
  readonly notes: readonly string[];
}

/** @throws AppError `api_…`, `manifest_invalid`, `server_name_needed` */
export async function fromDescription(text: string, { input, apis }: DescriptionWish): Promise<DescribedApi> {
  const manifest = looksLikeOpenApi(text)
    ? ofOpenApi(await apis.describe(text), input)
    : ofToolSpec(text, input);
  const { server } = manifest;
  const document = stored(text);
  const notes = server.kind === 'api' ? await tried(apis, { ...manifest, server }, document) : [];
  return { manifest, document, notes };
}

const stored = (text: string): ServerDocument => ({ hash: documentHash(text), text });

const documentNamed = ({ openapi, toolspec }: ApiServerSpec): string | null => openapi ?? toolspec ?? null;

/** What is asked besides the manifest. */
export interface DocumentWish extends DescriptionWish {
  readonly documents: DocumentSource;
  readonly follower: Follower;
}

/**
 * What the manifest's tools are made from: sent along, or fetched from its address. Tried once before anything is kept.
 *
 * @param slug of the server to be
 * @throws AppError `api_document_needed`, `api_document_…`
 */
export async function documentOf(
  use: ApiUse,
  slug: string,
  { input, apis, documents, follower }: DocumentWish,
): Promise<{ readonly document: ServerDocument | null; readonly notes: readonly string[] }> {
  const name = documentNamed(use.server);
  const { tell, gone } = follower;
  if (name === null) return { document: null, notes: await tried(apis, use, null) };
  if (isAddress(name)) tell(`fetching ${name}`);
  const text = isAddress(name) ? await documents.fetch(name, slug, gone) : input.documents?.[name];
  if (text === undefined) throw documentNeeded(name);
  const document = stored(text);
  return { document, notes: await tried(apis, use, document) };
}

const isAddress = (name: string): boolean => name.startsWith('https://');

/** Makes the tools once, for what is wrong with them. @returns what came of it */
async function tried(
  apis: ApiCompiler,
  use: ApiUse,
  document: ServerDocument | null,
): Promise<readonly string[]> {
  const { tools, leftOut } = await apis.compile(use, document);
  const more = leftOut.length - LEFT_OUT_TOLD_MAX;
  return [
    `${tools.length} ${tools.length === 1 ? 'tool' : 'tools'}`,
    ...leftOut.slice(0, LEFT_OUT_TOLD_MAX).map((reason) => `left out: ${reason}`),
    ...(more > 0 ? [`left out: ${more} more`] : []),
    ...(tools.length < limits.apiToolsManyMin
      ? []
      : [
          'These are more tools than most models choose well from: take a part of them, with --tag or by a manifest.',
        ]),
  ];
}

const LEFT_OUT_TOLD_MAX = 10;

const documentNeeded = (name: string): AppError =>
  new AppError('api_document_needed', `The tools are described in \`${name}\`, which was not given.`, {
    kind: 'invalid',
    hint: 'Put it beside the manifest.',
  });

/** @throws AppError with the fault's code */
function usable<T>(result: Result<T, ApiFault>): T {
  if (result.ok) return result.value;
  const { code, message, hint } = result.error;
  throw new AppError(code, message, { kind: 'invalid', ...(hint === undefined ? {} : { hint }) });
}

function ofOpenApi(described: ApiDescription, input: AddServer): Manifest {
  const baseUrl = baseOf(described, input);
  const base = usable(parseBase(baseUrl));
  const name = input.name ?? slugOf(described.title);
  const server: ApiServerSpec = {
    kind: 'api',
    baseUrl,
    openapi: fileName(input.source),
    ...(input.tags === undefined || input.tags.length === 0 ? {} : { operations: { tags: input.tags } }),
  };
  const manifest = complete({
    schemaVersion: 2,
    name,
    version: versionOf(described.version),
    ...titled(described.title),
    server,
    egress: [
      {
        host: base.host,
        port: base.port,
        protocol: base.scheme,
        methods: described.methods,
        ...(base.path === '' ? {} : { paths: [base.path] }),
      },
    ],
    credentials: described.logins.map((login) => credentialOf(login, base)),
  });
  return manifest;
}

function credentialOf(
  { name, rule, optional }: ApiDescription['logins'][number],
  base: Base,
): CredentialSpec {
  return {
    name: credentialName(name),
    tier: 'sealed',
    required: !optional,
    placeholder: defaultPlaceholder,
    hosts: [base.host],
    inject: [rule],
  };
}

/** `apiKeyAuth` becomes `API_KEY_AUTH`. */
function credentialName(name: string): string {
  const words = name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toUpperCase()
    .replaceAll(/[^A-Z0-9]+/g, '_')
    .replaceAll(/^_+|_+$/g, '');
  return /^[A-Z]/.test(words) ? words : `KEY_${words}`;
}

/** @throws AppError `api_base_needed` */
function baseOf({ servers }: ApiDescription, input: AddServer): string {
  const absolute = input.baseUrl ?? servers.find((url) => /^https?:\/\/[^{}]+$/.test(url));
  if (absolute !== undefined) return absolute.replace(/\/+$/, '');
  throw new AppError('api_base_needed', 'The document does not say at which address the API is.', {
    kind: 'invalid',
    hint: `Say it: --base-url https://api.example.com${servers[0]?.startsWith('/') === true ? servers[0] : ''}`,
  });
}

function ofToolSpec(text: string, input: AddServer): Manifest {
  const { toolspec, errors } = parseToolSpec(text, { file: input.source });
  if (toolspec === undefined) {
    const [first] = errors;
    throw new AppError(
      'api_document_malformed',
      `The toolspec is not valid: ${first?.field ?? ''}: ${first?.message ?? ''}`,
      {
        kind: 'invalid',
        hint: `Check it: \`sallyport manifest lint ${input.source}\`.`,
      },
    );
  }
  const bases = [...new Set([toolspec.baseUrl, ...toolspec.tools.map(({ baseUrl }) => baseUrl)])].filter(
    (url) => url !== '',
  );
  const hosts = [...new Set(bases.map((url) => usable(parseBase(url)).host))];
  const server: ApiServerSpec = { kind: 'api', baseUrl: toolspec.baseUrl, toolspec: fileName(input.source) };
  const { auth } = toolspec;
  const manifest = complete({
    schemaVersion: 2,
    name: toolspec.name,
    version: toolspec.version,
    server,
    egress: hosts.map((host) => ({ host, port: 443, protocol: 'https' })),
    credentials:
      auth === null
        ? []
        : [
            {
              name: `${credentialName(toolspec.name)}_TOKEN`,
              tier: 'sealed',
              required: true,
              placeholder: defaultPlaceholder,
              hosts,
              inject: [auth],
            },
          ],
  });
  return manifest;
}

/** Of a path, in the form that a manifest may name. */
const fileName = (source: string): string => {
  const name = source.split(/[/\\]/).at(-1) ?? '';
  return /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,200}$/.test(name) ? name : 'document';
};

/** @throws AppError `server_name_needed` */
function slugOf(title: string): string {
  const slug = title
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 63)
    .replace(/-+$/, '');
  if (/^[a-z0-9]/.test(slug)) return slug;
  throw new AppError('server_name_needed', 'No server name can be made from the title of the document.', {
    kind: 'invalid',
    hint: 'Give one with --name.',
  });
}

/** Three numbers, whatever the document has; what is missing is zero. */
const versionOf = (said: string): string => {
  const numbers = /(?:0|[1-9]\d{0,8})(?:\.(?:0|[1-9]\d{0,8})){0,2}(?!\d)/.exec(said)?.[0].split('.') ?? [];
  return [...numbers, '0', '0', '0'].slice(0, 3).join('.');
};

/** A title that a manifest may have. */
const titled = (title: string): { title?: string } => {
  const plain = title
    .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim()
    .slice(0, TITLE_CHARS_MAX)
    .trim();
  return plain === '' ? {} : { title: plain };
};

const TITLE_CHARS_MAX = 100;

const FILE_END = /\.(ya?ml|json)$/;

/**
 * The name of the file beside a manifest that its tools are described in, as far as the manifest's text says it: whoever
 * sends the manifest sends that too. Null where there is none.
 *
 * @param file name of the manifest's own
 */
export function documentBeside(text: string, file: string): string | null {
  if (isDescription(text)) return null;
  const { manifest, original } = parseManifest(text, { file });
  if (original?.image.builder === 'toolpack') return toolSpecBeside(file);
  if (manifest?.server.kind !== 'api') return null;
  const name = documentNamed(manifest.server);
  return name === null || isAddress(name) ? null : name;
}

/** Of a manifest of version 1. */
export const toolSpecBeside = (file: string): string =>
  fileName(file).replace(FILE_END, (end) => `.toolspec${end}`);
