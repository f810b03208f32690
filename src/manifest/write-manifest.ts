/**
 * A manifest as text again: YAML with the keys in the schema's order, what is default left out except where a
 * reader wants to see it. What is written parses to an equal manifest with the same hash.
 */
import { Document, isCollection, isPair, isScalar, visit } from 'yaml';
import { defaultPlaceholder } from './placeholder.ts';
import { defaultPorts } from './decode-egress.ts';
import type {
  CredentialSpec,
  EgressRule,
  Manifest,
  SandboxedServerSpec,
  ServerSpec,
  ToolSelection,
} from './types.ts';

/** Lists and maps without further nesting stand on one line up to this many characters of JSON. */
const ONE_LINE_CHARS_MAX = 100;

export function writeManifest(manifest: Manifest): string {
  const { schemaVersion, name, version, title, description, homepage, server, egress, credentials, tools } =
    manifest;
  const content = {
    schemaVersion,
    name,
    version,
    ...present({ title, description, homepage }),
    server: server.kind === 'sandboxed' ? plainSandboxed(server) : plainElsewhere(server),
    ...(egress.length === 0 ? {} : { egress: egress.map(plainEgress) }),
    ...(credentials.length === 0 ? {} : { credentials: credentials.map(plainCredential) }),
    ...(tools === undefined ? {} : { tools: plainTools(tools) }),
  };
  // What YAML 1.1 would take for a boolean or a number gets quotes, for the tools that still speak it.
  const document = new Document(content, {
    version: '1.2',
    schema: 'core',
    compat: 'yaml-1.1',
    aliasDuplicateObjects: false,
  });
  visit(document, {
    Collection(_, node) {
      const items: readonly unknown[] = node.items;
      const leaf = items.every((item) => isScalar(item) || (isPair(item) && !isCollection(item.value)));
      if (leaf && JSON.stringify(node).length <= ONE_LINE_CHARS_MAX) node.flow = true;
    },
  });
  return document.toString({ lineWidth: 0 });
}

function plainSandboxed(server: SandboxedServerSpec): object {
  const { kind, command, args, env, files, limits, idleSeconds, shared, addresses } = server;
  return {
    kind,
    ...present({ package: server.package }),
    command,
    ...(args.length === 0 ? {} : { args }),
    ...(Object.keys(env).length === 0 ? {} : { env }),
    ...(files.length === 0
      ? {}
      : { files: files.map(({ host, cell, write }) => ({ host, cell, ...(write ? { write } : {}) })) }),
    ...(Object.keys(limits).length === 0 ? {} : { limits }),
    ...present({ idleSeconds, shared }),
    ...(addresses === 'synthetic' ? {} : { addresses }),
  };
}

function plainElsewhere(server: Exclude<ServerSpec, SandboxedServerSpec>): object {
  if (server.kind === 'remote') return { kind: server.kind, url: server.url };
  const { kind, baseUrl, openapi, toolspec, operations, request } = server;
  return { kind, baseUrl, ...present({ openapi, toolspec, operations, request }) };
}

const plainEgress = ({ host, port, protocol, methods, paths }: EgressRule): object => ({
  host,
  ...(port === defaultPorts[protocol] ? {} : { port }),
  ...(protocol === 'https' ? {} : { protocol }),
  ...present({ methods, paths }),
});

function plainCredential(credential: CredentialSpec): object {
  const {
    name,
    title,
    description,
    tier,
    required,
    use,
    env,
    placeholder,
    hosts,
    ports,
    methods,
    paths,
    inject,
  } = credential;
  return {
    name,
    ...present({ title, description }),
    tier,
    ...(required ? {} : { required }),
    ...present({ use, env }),
    ...(placeholder === defaultPlaceholder ? {} : { placeholder }),
    ...(hosts.length === 0 ? {} : { hosts }),
    ...present({ ports, methods, paths }),
    ...(inject.length === 0 ? {} : { inject }),
  };
}

const plainTools = ({ egress, ...tools }: ToolSelection): object => ({
  ...tools,
  ...(egress === undefined
    ? {}
    : { egress: egress.map(({ enforce, ...rule }) => ({ ...rule, ...(enforce ? {} : { enforce }) })) }),
});

/** The members that are not undefined. */
const present = (members: Readonly<Record<string, unknown>>): object =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
