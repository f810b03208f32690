/**
 * The API as its clients call it. The transport is a function from Request to Response: the local socket of a running
 * gateway, or an API opened in the same process. Programs that serve nothing load this file by itself: it imports nothing of
 * the API's other side.
 */
import type { UsageView } from './usage-schemas.ts';
import { AppError, type AppErrorKind, type JsonObject } from '../kernel/index.ts';
import type { AnswerApproval, ApprovalDetail, ApprovalView } from './approval-schemas.ts';
import type { Decision, DefinitionReport } from './definition-schemas.ts';
import type { LaunchPlan } from './plan-schema.ts';
import { API_PREFIX } from './prefix.ts';
import type {
  ApplyPolicy,
  CheckPolicy,
  ExplainPolicy,
  PolicyCheck,
  PolicyExplanation,
  PolicySource,
  TemplateView,
} from './policy-schemas.ts';
import type { ReceiverSecret } from './receiver-schemas.ts';
import type { RecordingLine, RecordingView, RejudgeReport } from './recording-schemas.ts';
import type { BeginLogin, LoginBegun, LoginView } from './login-schemas.ts';
import type { NewToken, ProfileView, ProxyView, TokenView } from './access-schemas.ts';
import type { AlertView, CheckpointView, ExportView, VerifyView } from './audit-schemas.ts';
import type { KeyRotation, KeyStatus, KillView, StatusView } from './operation-schemas.ts';
import type { ProbeBody, ProbeView } from './probe-schemas.ts';
import type {
  AddedView,
  AddServer,
  CatalogView,
  InjectBody,
  LogLineView,
  ReinstallBody,
  SecretView,
  ServerView,
  UpgradeBody,
  UpgradedView,
} from './server-schemas.ts';

export type Transport = (request: Request) => Promise<Response>;

/** The statuses that the API answers, back to what they mean. */
const KINDS: Readonly<Record<number, AppErrorKind>> = {
  400: 'invalid',
  401: 'unauthenticated',
  403: 'denied',
  404: 'not_found',
  409: 'conflict',
  429: 'limited',
  502: 'unavailable',
};

interface Failure {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  readonly retryAfterSeconds?: number;
}

/** How JSON Lines say that they ended early. */
interface LastLine {
  readonly error?: Failure & { readonly kind?: AppErrorKind };
}

function toError(failure: Failure, kind: AppErrorKind): AppError {
  return new AppError(failure.code, failure.message, {
    kind,
    ...(failure.hint === undefined ? {} : { hint: failure.hint }),
    ...(failure.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: failure.retryAfterSeconds }),
  });
}

export type ApiClient = ReturnType<typeof createClient>;

export function createClient(transport: Transport) {
  async function send(method: string, path: string, body?: unknown): Promise<Response> {
    const response = await transport(
      new Request(`http://sallyport${API_PREFIX}${path}`, {
        method,
        ...(body === undefined
          ? {}
          : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      }),
    );
    if (response.ok) return response;
    const text = await response.text();
    const failure = failureIn(text) ?? {
      code: 'gateway_answer_unreadable',
      message: `The gateway answered ${response.status}.`,
    };
    throw toError(failure, KINDS[response.status] ?? 'failed');
  }
  const json = async <T>(method: string, path: string, body?: unknown): Promise<T> =>
    (await send(method, path, body)).json() as Promise<T>;

  async function* lines(path: string): AsyncGenerator<unknown> {
    const response = await send('GET', path);
    for await (const line of linesOf(response.body ?? new ReadableStream())) {
      const failure = line === null || typeof line !== 'object' ? undefined : (line as LastLine).error;
      if (failure !== undefined) throw toError(failure, failure.kind ?? 'failed');
      yield line;
    }
  }

  /** Runs long work, telling its progress; throws what the work failed with. */
  async function work<T>(path: string, body: unknown, tell: (message: string) => void): Promise<T> {
    const response = await send('POST', path, body);
    for await (const line of linesOf(response.body ?? new ReadableStream())) {
      const { progress, result, error } = line as { progress?: string; result?: T } & LastLine;
      if (progress !== undefined) tell(progress);
      if (result !== undefined) return result;
      if (error !== undefined) throw toError(error, error.kind ?? 'failed');
    }
    throw new AppError('gateway_gone', 'The gateway ended before the work was done.', {
      kind: 'unavailable',
      hint: 'Look at its log, then try again.',
    });
  }

  const at = (slug: string): string => `/servers/${encodeURIComponent(slug)}`;
  return {
    status: () => json<StatusView>('GET', '/status'),
    servers: () => json<ServerView[]>('GET', '/servers'),
    server: (slug: string) => json<ServerView>('GET', at(slug)),
    planServer: (slug: string) => json<LaunchPlan>('GET', `${at(slug)}/plan`),
    addServer: (body: AddServer, tell: (message: string) => void) => work<AddedView>('/servers', body, tell),
    upgradeServer: (slug: string, body: UpgradeBody, tell: (message: string) => void) =>
      work<UpgradedView>(`${at(slug)}/upgrade`, body, tell),
    reinstallServer: (slug: string, body: ReinstallBody, tell: (message: string) => void) =>
      work<ServerView>(`${at(slug)}/reinstall`, body, tell),
    probeServer: (slug: string, body: ProbeBody, tell: (message: string) => void) =>
      work<ProbeView>(`${at(slug)}/probe`, body, tell),
    definitions: (slug: string) => json<DefinitionReport>('GET', `${at(slug)}/definitions`),
    lookAtDefinitions: (slug: string, tell: (message: string) => void) =>
      work<DefinitionReport>(`${at(slug)}/definitions/look`, {}, tell),
    decideDefinitions: (slug: string, body: Decision) =>
      json<DefinitionReport>('POST', `${at(slug)}/definitions/decision`, body),
    enableServer: (slug: string, enabled: boolean) =>
      json<ServerView>('POST', `${at(slug)}/${enabled ? 'enable' : 'disable'}`),
    removeServer: (slug: string) => json('DELETE', at(slug)),
    tools: async (slug: string) => (await send('GET', `${at(slug)}/tools`)).text(),
    logs: (slug: string, follow: boolean) =>
      lines(`${at(slug)}/logs?follow=${follow}`) as AsyncGenerator<LogLineView>,
    inject: (slug: string, name: string, body: InjectBody) =>
      json<ServerView>('POST', `${at(slug)}/secrets/${encodeURIComponent(name)}/inject`, body),
    secrets: (slug: string) => json<SecretView[]>('GET', `${at(slug)}/secrets`),
    setSecret: (slug: string, name: string, value: string) =>
      json<{ name: string; version: number; definitions: DefinitionReport | null }>(
        'PUT',
        `${at(slug)}/secrets/${encodeURIComponent(name)}`,
        {
          value,
        },
      ),
    deleteSecret: (slug: string, name: string) =>
      json<{ deleted: string[] }>('DELETE', `${at(slug)}/secrets/${encodeURIComponent(name)}`),
    beginLogin: (slug: string, body: BeginLogin) => json<LoginBegun>('POST', `${at(slug)}/login`, body),
    finishLogin: (query: string) => json<LoginView>('POST', '/logins/finish', { query }),
    login: (slug: string) => json<LoginView | null>('GET', `${at(slug)}/login`),
    logout: (slug: string) => json<{ removed: boolean }>('DELETE', `${at(slug)}/login`),
    profiles: () => json<ProfileView[]>('GET', '/profiles'),
    profile: (name: string) => json<ProfileView>('GET', `/profiles/${encodeURIComponent(name)}`),
    setProfile: (
      name: string,
      entries: ProfileView['entries'],
      options: Partial<ProfileView['options']> = {},
    ) => json<ProfileView>('PUT', `/profiles/${encodeURIComponent(name)}`, { entries, options }),
    deleteProfile: (name: string) => json('DELETE', `/profiles/${encodeURIComponent(name)}`),
    tokens: () => json<TokenView[]>('GET', '/tokens'),
    createToken: (body: { profile: string; agent: string; expiresAt?: number }) =>
      json<NewToken>('POST', '/tokens', body),
    revokeToken: (id: string) => json('DELETE', `/tokens/${encodeURIComponent(id)}`),
    rotateToken: (id: string) => json<NewToken>('POST', `/tokens/${encodeURIComponent(id)}/rotate`),
    approvals: (state: ApprovalView['state'] | null) =>
      json<ApprovalView[]>('GET', `/approvals${state === null ? '' : `?state=${state}`}`),
    approval: (id: string) => json<ApprovalDetail>('GET', `/approvals/${encodeURIComponent(id)}`),
    answerApproval: (id: string, body: AnswerApproval) =>
      json<ApprovalView>('POST', `/approvals/${encodeURIComponent(id)}/answer`, body),
    policies: () => json<PolicySource[]>('GET', '/policy'),
    checkPolicy: (body: CheckPolicy) => json<PolicyCheck>('POST', '/policy/check', body),
    applyPolicy: (body: ApplyPolicy) => json('PUT', '/policy', body),
    removePolicy: (profile: string | null) => json('DELETE', '/policy', { profile }),
    explainPolicy: (body: ExplainPolicy) => json<PolicyExplanation>('POST', '/policy/explain', body),
    policyTemplates: () => json<TemplateView[]>('GET', '/policy/templates'),
    usage: (query: { by: string; since?: string; until?: string; server?: string }) =>
      json<UsageView>('GET', `/usage?${queryText(query)}`),
    recordings: (query: { profile?: string; server?: string; since?: number }) =>
      json<RecordingView[]>('GET', `/recordings?${queryText(query)}`),
    recording: (id: string) => json<RecordingView>('GET', `/recordings/${encodeURIComponent(id)}`),
    recordingLines: (id: string, purpose: 'show' | 'replay' | 'export') =>
      lines(
        `/recordings/${encodeURIComponent(id)}/lines?${queryText({ for: purpose })}`,
      ) as AsyncGenerator<RecordingLine>,
    rejudgeRecording: (id: string, text: string | null) =>
      json<RejudgeReport>('POST', `/recordings/${encodeURIComponent(id)}/rejudge`, { text }),
    deleteRecording: (id: string) => json('DELETE', `/recordings/${encodeURIComponent(id)}`),
    proxySettings: (body: { tokenId?: string; server?: string }) => json<ProxyView>('POST', '/proxy', body),
    /** @returns the result exactly as the server gave it */
    call: async (server: string, tool: string, argumentsJson: string, profile: string | undefined) =>
      (
        await send('POST', '/calls', {
          server,
          tool,
          arguments: argumentsJson,
          ...(profile === undefined ? {} : { profile }),
        })
      ).text(),
    kills: () => json<KillView[]>('GET', '/kills'),
    kill: (scope: KillView['scope'], target: string, reason: string) =>
      json<KillView>('POST', '/kills', { scope, target, reason }),
    resume: (scope: KillView['scope'], target: string) => json('DELETE', '/kills', { scope, target }),
    keys: () => json<KeyStatus>('GET', '/keys'),
    rotateKeys: () => json<KeyRotation>('POST', '/keys/rotate'),
    audit: (options: { from?: number; last?: number; follow?: boolean }) => {
      return lines(`/audit?${queryText(options)}`) as AsyncGenerator<JsonObject>;
    },
    verifyAudit: (checkpoints?: string) =>
      checkpoints === undefined
        ? json<VerifyView>('GET', '/audit/verify')
        : json<VerifyView>('POST', '/audit/verify', { checkpoints }),
    alerts: () => json<AlertView[]>('GET', '/alerts'),
    receiverSecrets: () => json<ReceiverSecret[]>('GET', '/receivers/secrets'),
    setReceiverSecret: (name: string, value: string) =>
      json<ReceiverSecret>('PUT', `/receivers/secrets/${encodeURIComponent(name)}`, { value }),
    deleteReceiverSecret: (name: string) =>
      json<{ deleted: string[] }>('DELETE', `/receivers/secrets/${encodeURIComponent(name)}`),
    testAlert: () => json<AlertView>('POST', '/alerts/test'),
    auditExports: () => json<ExportView[]>('GET', '/audit/exports'),
    signCheckpoint: () => json<CheckpointView>('POST', '/audit/checkpoints'),
    catalog: (words: string) => json<CatalogView[]>('GET', `/catalog?q=${encodeURIComponent(words)}`),
    catalogEntry: (name: string) => json<{ text: string }>('GET', `/catalog/${encodeURIComponent(name)}`),
  };
}

const queryText = (query: object): string =>
  new URLSearchParams(
    Object.entries(query).map(([key, value]): [string, string] => [key, String(value)]),
  ).toString();

function failureIn(text: string): Failure | null {
  try {
    const { error } = JSON.parse(text) as { error?: Failure };
    return typeof error?.code === 'string' ? error : null;
  } catch {
    return null;
  }
}

async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<unknown> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of body) {
    rest += decoder.decode(chunk, { stream: true });
    const complete = rest.split('\n');
    rest = complete.pop() ?? '';
    for (const line of complete) if (line !== '') yield JSON.parse(line);
  }
}
