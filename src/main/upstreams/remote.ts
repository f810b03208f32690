/**
 * A remote MCP server: its messages travel over HTTP, which the front speaks; here is where they leave. The front's
 * requests have no credential in them and no say in where they go: host, port and scheme are the manifest's own.
 */
import type { Manifest, RemoteServerSpec } from '../../manifest/index.ts';
import { AppError, type CellId, isAppError } from '../../kernel/index.ts';
import type { EraMemory, HttpTransport, UpstreamHttpAnswer, UpstreamHttpRequest } from '../../mcp/index.ts';
import type { GrantServer, LoginRefusal } from '../../oauth/index.ts';
import type { CellKey } from '../cells/cell-key.ts';
import { presentCredentials } from '../cells/credentials.ts';
import type { RunningCell, StartDeps } from '../cells/start.ts';
import type { ServerRow } from '../../api/index.ts';
import { decoded } from './decoded.ts';
import { challengesIn } from '../oauth/challenges.ts';
import { grantServerOf, tokenBinding } from '../oauth/logins.ts';
import { type Own, startOwn } from './own.ts';

export interface RemoteOrder {
  readonly row: ServerRow;
  readonly manifest: Manifest;
  /** The same manifest's `server`. */
  readonly server: RemoteServerSpec;
  readonly key: CellKey;
}

/** @throws AppError as `startOwn` */
export async function startRemote(
  deps: StartDeps,
  { row, manifest, server, key }: RemoteOrder,
  onStarting: (id: CellId) => void,
): Promise<RunningCell> {
  // Without it nothing can be asked, its tools included.
  await presentCredentials(deps, row, manifest, key.owner);
  const era = await deps.eras.of(row);
  // Every message is a POST: the method says nothing of what a tool does.
  const order = { row, manifest, key, prefix: 'rmt', readOnly: 'off' } as const;
  const grantServer = grantServerOf(row, manifest);
  const unlisted = grantServer === null ? [] : [tokenBinding(grantServer, deps.random)];
  const login = grantServer === null ? NO_LOGIN : loginAt(deps, grantServer);
  return startOwn(deps, { ...order, unlisted }, onStarting, (own) =>
    transportTo(new URL(server.url), era, own, login),
  );
}

/** What a server's requests have to do with logins. */
interface Login {
  /** Whether it is for want of one that it cannot be spoken to. */
  readonly isMissing: boolean;
  /** Before a request. @returns as `Grants.ensure`. @throws AppError `oauth_login_needed`, `oauth_refresh_failed` */
  ready(): Promise<number | null>;
  /** After one that was refused; see `HttpTransport.challenged`. */
  challenged(refusal: LoginRefusal): Promise<boolean>;
}

const NO_LOGIN: Login = {
  isMissing: false,
  ready: () => Promise.resolve(null),
  challenged: () => Promise.resolve(false),
};

function loginAt({ grants }: StartDeps, server: GrantServer): Login {
  let isMissing = false;
  const noting = async <T>(asked: Promise<T>): Promise<T> => {
    try {
      const answer = await asked;
      isMissing = false;
      return answer;
    } catch (error) {
      isMissing = isAppError(error) && NEEDS_PERSON.has(error.code);
      throw error;
    }
  };
  return {
    get isMissing() {
      return isMissing;
    },
    ready: () => noting(grants.ensure(server)),
    challenged: (refusal) => noting(grants.challenged(server, refusal)),
  };
}

const NEEDS_PERSON: ReadonlySet<string> = new Set([
  'oauth_login_needed',
  'oauth_scope_needed',
  'oauth_scope_refused',
]);

function transportTo(url: URL, era: EraMemory, own: Own, login: Login): HttpTransport {
  let shown: number | null = null;
  let ordinary = false;
  return {
    kind: 'http',
    cell: own.cell,
    url,
    era,
    exited: own.exited.then((exit) => ({ ...exit, ordinary, needsPerson: login.isMissing })),
    close: (reason) => own.close(reason),
    streamEnded() {
      ordinary = true;
      return own.close('its event stream ended');
    },
    note: (text) => own.note(text),
    onFarewell: (tell) => own.onFarewell(tell),
    async exchange(request, signal) {
      const token = await login.ready();
      const answer = await exchange(url, own, request, signal);
      // Whoever gets it says at once that it was refused.
      if (answer.status === 401) shown = token;
      return answer;
    },
    challenged: (status, wwwAuthenticate) => {
      const said = wwwAuthenticate === null ? '' : `, and says: ${wwwAuthenticate}`;
      own.note(`it refuses what it is shown (HTTP ${status})${said}`);
      return login.challenged({ status, wwwAuthenticate, shown });
    },
  };
}

async function exchange(
  { origin }: URL,
  own: Own,
  { method, url, headers, body }: UpstreamHttpRequest,
  signal: AbortSignal,
): Promise<UpstreamHttpAnswer> {
  if (url.origin !== origin) {
    throw new AppError('upstream_origin', `A request to ${url.origin} is not one to ${origin}.`, {
      kind: 'denied',
    });
  }
  const https = url.protocol === 'https:';
  const answer = await own.request(
    {
      method,
      scheme: https ? 'https' : 'http',
      host: url.hostname,
      port: url.port === '' ? (https ? 443 : 80) : Number(url.port),
      target: url.pathname + url.search,
      fields: headers,
      body: body === null ? null : Buffer.from(body, 'utf8'),
    },
    signal,
  );
  const { status, fields } = answer;
  return {
    status,
    header: (name) => (name === 'www-authenticate' ? challengesIn(answer) : (fields.get(name) ?? null)),
    // What had to be searched was decoded for that.
    body: decoded(answer.body, fields.get('content-encoding') ?? ''),
  };
}
