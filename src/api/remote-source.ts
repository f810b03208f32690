/** A server by its address: a manifest is made that lets it be reached there and nowhere else. */
import { AppError } from '../kernel/index.ts';
import { type InjectRule, type Manifest, withInject } from '../manifest/index.ts';
import { complete, invalid } from './checked-manifest.ts';
import type { AddServer } from './server-schemas.ts';

/** Labels that say what a host is, and not whose. */
const GENERIC = /^(?:mcp|api|www)$/;

/** @throws AppError `server_name_needed`, `server_source_unsupported`, `server_address_secret`, `manifest_invalid` */
export function fromAddress(input: AddServer): Manifest {
  const url = addressOf(input.source);
  assertNoKeys(url);
  const bare = complete({
    schemaVersion: 2,
    name: input.name ?? nameFor(url),
    version: '0.0.0',
    title: url.host,
    server: { kind: 'remote', url: url.href },
    egress: [
      {
        host: url.hostname,
        port: url.port === '' ? 443 : Number(url.port),
        protocol: 'https',
        methods: ['GET', 'POST', 'DELETE'],
      },
    ],
    credentials: [],
  });
  const { credential, place } = input;
  if (credential === undefined && place === undefined) return bare;
  const name = credential ?? tokenNameFor(bare.name);
  const changed = withInject(bare, name, place ?? usualPlace(name));
  if (changed.ok) return changed.value;
  throw invalid(changed.error, 'Correct the options, or write a manifest file.');
}

/** `my-server` → `MY_SERVER_TOKEN`; names of credentials begin with a letter. */
const tokenNameFor = (slug: string): string =>
  `${/^[0-9]/.test(slug) ? 'SERVER_' : ''}${slug.toUpperCase().replaceAll('-', '_')}_TOKEN`;

/** Where servers that are called by gateways look for the secrets of their users: a header of the secret's name. */
const usualPlace = (name: string): InjectRule => ({
  header: `X-Mcp-Secret-${name.replaceAll('_', '-')}`,
  format: '{token}',
});

function addressOf(source: string): URL {
  const url = URL.canParse(source) ? new URL(source) : null;
  if (url?.protocol === 'https:' && url.username === '' && url.password === '' && url.hash === '') return url;
  throw new AppError(
    'server_source_unsupported',
    // Without what may be a password.
    `\`${url === null ? source : `${url.protocol}//${url.host}`}\` is not the address of a server that can be added.`,
    {
      kind: 'invalid',
      hint: 'Write https://mcp.example.com/mcp: with TLS, and without a user, a password or a fragment.',
    },
  );
}

/** What parameters are called whose values are nobody else's business. */
const KEY_NAME = /(?:key|token|secret|passw|auth|credential|sig)/i;
/** Letters and digits without order, as keys are written; an id with hyphens in it is none. */
const KEY_VALUE = /^(?=.*\d)(?=.*[A-Za-z])[\w.~+/=-]{24,}$/;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** An address is kept, shown and put on record as it is. @throws AppError `server_address_secret` */
function assertNoKeys(url: URL): void {
  const isKey = (value: string): boolean => KEY_VALUE.test(value) && !UUID.test(value);
  const parameter = [...url.searchParams].find(
    ([name, value]) => value !== '' && (KEY_NAME.test(name) || isKey(value)),
  )?.[0];
  if (parameter !== undefined)
    throw addressSecret(
      `in the parameter \`${parameter}\``,
      `Leave it out: sallyport server add ${url.origin}${url.pathname} --query ${parameter}`,
    );
  const segments = url.pathname.split('/');
  const at = segments.findIndex(isKey);
  if (at < 0) return;
  const filledBy = (text: string): string => segments.with(at, text).join('/');
  throw addressSecret(
    'in the path',
    `Put another word in its place, and say where the key goes: sallyport server add ${url.origin}${filledBy('key')}, then sallyport secret inject SERVER NAME --path '${filledBy('{token}')}'. If it is none, write a manifest file.`,
  );
}

const addressSecret = (where: string, hint: string): AppError =>
  new AppError(
    'server_address_secret',
    `There seems to be a key ${where} of the address, which is kept and shown as it is.`,
    { kind: 'invalid', hint: hint.endsWith('.') ? hint : `${hint}. Then: sallyport secret set SERVER NAME` },
  );

/** `https://mcp.linear.app/mcp` → `linear`. */
function nameFor({ hostname }: URL): string {
  const labels = hostname.split('.');
  const own = labels.length > 1 ? labels.slice(0, -1) : labels;
  const named = own.length > 1 && GENERIC.test(own[0] ?? '') ? own.slice(1) : own;
  const slug = named.join('-').slice(0, 63).replace(/-+$/, '');
  if (/^[a-z0-9][a-z0-9-]{0,62}$/.test(slug)) return slug;
  throw new AppError('server_name_needed', `No server name can be made from \`${hostname}\`.`, {
    kind: 'invalid',
    hint: 'Give one with --name.',
  });
}
