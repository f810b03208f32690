/**
 * An install cell's way out, made for one job: to the registry's hosts, to answers of the gateway's own, or nowhere.
 * It shares no connection, no name and no credential with the one that servers have. It may dial where a server never
 * may, because it was the operator who chose the registry, and that is often on the company's own network.
 */
import { NO_RULES } from '../../policy/index.ts';
import type { AuditEvent, AuditLog } from '../../audit/index.ts';
import { createEgress, type CredentialSource, type EgressConfig, NO_CALLS } from '../../egress/index.ts';
import {
  AppError,
  type CellId,
  type Clock,
  limits,
  type Log,
  type Random,
  type WorkspaceId,
} from '../../kernel/index.ts';
import { makePlaceholder } from '../../manifest/index.ts';
import type {
  CellListeners,
  InstallNetwork,
  LocalAnswer,
  RegistryLogin,
  Unreached,
} from '../../sandbox/index.ts';
import { createAnswerServer } from './answer-server.ts';

export interface WayOutDeps {
  readonly workspace: WorkspaceId;
  readonly audit: Pick<AuditLog, 'record' | 'note'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** How the machine reaches the network. @throws AppError where its settings cannot be used */
  readonly config: () => EgressConfig;
}

export interface WayOut {
  readonly ports: readonly number[];
  /** Empty where nobody shows a certificate. */
  readonly caPem: string;
  /** Placeholders by variable. */
  readonly env: Readonly<Record<string, string>>;
  readonly listeners: CellListeners;
  /** What was refused so far: the last few. */
  readonly unreached: readonly Unreached[];
  /** Cuts every connection. Resolves when what happened is on record. */
  close(): Promise<void>;
}

type RegistryNetwork = Extract<InstallNetwork, { readonly kind: 'registry' }>;

export async function openWayOut(
  deps: WayOutDeps,
  cell: CellId,
  label: string,
  network: InstallNetwork,
): Promise<WayOut> {
  if (network.kind === 'registry') return toRegistry(deps, cell, label, network);
  return network.kind === 'answers' ? toAnswers(network.answer) : nowhere;
}

const PLACEHOLDER = 'slyreg_{alnum:40}';

/** Whoever fetches needs no other: with a login, all others change the registry. */
const METHODS = ['GET', 'HEAD'];

/** A registry may lie anywhere: whether it may be dialled was decided when it was configured. */
const ANYWHERE = ['0.0.0.0/0', '::/0'];

async function toRegistry(
  { workspace, audit, clock, random, log, config }: WayOutDeps,
  cell: CellId,
  label: string,
  { hosts, logins = [] }: RegistryNetwork,
): Promise<WayOut> {
  const dials = hosts.flatMap(({ host, port, dial }) =>
    dial === undefined ? [] : [[`${host}:${port}`, dial] as const],
  );
  const unreached: Unreached[] = [];
  const reach = config();
  const egress = createEgress({
    credentials: loginSource(logins, workspace, label, audit),
    calls: { callsIn: () => NO_CALLS },
    // The owner's rules are about servers: what installs one has hosts of its own, and nothing else.
    rules: { current: () => NO_RULES },
    limits: { count: async () => null },
    audit: {
      record: withoutFetches((event) => audit.record(event), unreached),
      note: withoutFetches((event) => audit.note(event), unreached),
    },
    clock,
    random,
    log,
    config: {
      ...reach,
      allowNetworks: ANYWHERE,
      resolve: { ...reach.resolve, ...Object.fromEntries(dials) },
    },
  });
  const env = Object.fromEntries(
    logins.map(({ variable }) => [variable, makePlaceholder(PLACEHOLDER, random)]),
  );
  try {
    const share = await egress.openCell({
      identity: { cell, workspace, server: label, profile: '', owner: null },
      rules: hosts.map(({ host, port, protocol }) => ({ host, port, protocol, methods: METHODS })),
      credentials: logins.map(({ variable, host, port, path, scheme }) => ({
        name: variable,
        placeholder: env[variable] ?? '',
        hosts: [host],
        ports: [port],
        methods: METHODS,
        ...(path === undefined ? {} : { paths: [path] }),
        inject: [
          scheme === 'Password'
            ? { basic: 'password' as const }
            : { header: 'Authorization', format: `${scheme} {token}` },
        ],
      })),
      tools: { rules: [], readOnly: 'off' },
      addresses: 'synthetic',
    });
    return {
      ports: share.ports,
      caPem: share.caPem,
      env,
      unreached,
      listeners: {
        onTcp: (port, server) => share.acceptTcp(port, server),
        onDnsUdp: (socket) => share.acceptDnsUdp(socket),
        onDnsTcp: (server) => share.acceptDnsTcp(server),
      },
      async close() {
        share.close();
        await egress.close();
      },
    };
  } catch (error) {
    await egress.close();
    throw error;
  }
}

/**
 * What is fetched is on record as the package, with all its parts; what was tried besides, and every use of a login, is here.
 */
const withoutFetches =
  (record: (event: AuditEvent) => Promise<void>, unreached: Unreached[]) =>
  async (event: AuditEvent): Promise<void> => {
    const refused = unreachedIn(event);
    if (refused !== null && unreached.push(refused) > limits.packageUnreachedMax) unreached.shift();
    if (!isPlainFetch(event)) await record(event);
  };

function isPlainFetch({ type, data }: AuditEvent): boolean {
  if (type === 'egress.request') return true;
  const credentials = data['credentials'];
  return type === 'egress.finished' && Array.isArray(credentials) && credentials.length === 0;
}

function unreachedIn({ type, data }: AuditEvent): Unreached | null {
  const text = (name: string): string => {
    const value = data[name];
    return typeof value === 'string' ? value : '';
  };
  if (type === 'dns.refused') return { host: text('name'), why: 'denied' };
  if (type !== 'egress.refused' || text('host') === '') return null;
  // It is the registry, and what was tried there has nothing to do with fetching.
  if (text('code') === 'egress_method_denied') return null;
  const isUpstreams = text('code').startsWith('egress_upstream_');
  return { host: text('host'), why: isUpstreams ? text('reason') || text('code') : 'denied' };
}

/**
 * The logins are the operator's settings: nobody else decides on their use, and there is no other value. Each use is on
 * record before the value is given out.
 */
function loginSource(
  logins: readonly RegistryLogin[],
  workspace: WorkspaceId,
  label: string,
  audit: Pick<AuditLog, 'record'>,
): CredentialSource {
  return {
    async use({ cell }, name, request) {
      const login = logins.find(({ variable }) => variable === name);
      if (login === undefined)
        throw new AppError('vault_credential_missing', 'The registry login is not there.', {
          kind: 'failed',
        });
      await audit.record({
        workspace,
        type: 'credential.used',
        actor: { kind: 'cell', id: cell },
        server: label,
        data: { for: request.data, name, owner: null, purpose: 'inject' },
      });
      return login.value.copy();
    },
    known: async () => logins.map(({ variable, value }) => ({ name: variable, value: value.copy() })),
  };
}

function toAnswers(answer: (path: string) => Promise<LocalAnswer | null>): WayOut {
  const answers = createAnswerServer(answer);
  return {
    ...nowhere,
    ports: [80],
    listeners: { ...nowhere.listeners, onTcp: (_port, server) => answers.accept(server) },
    close: async () => answers.close(),
  };
}

const nowhere: WayOut = {
  ports: [],
  caPem: '',
  env: {},
  unreached: [],
  listeners: {
    onTcp: (_port, server) => void server.close(),
    onDnsUdp: (socket) => void socket.close(),
    onDnsTcp: (server) => void server.close(),
  },
  close: async () => undefined,
};
