/**
 * The way to authorization servers: the data plane, with a share of it for each single request, whose only rule is the
 * address of that request. So its steps hold here too: special ranges, TLS, what is recorded, and where a value may go.
 */
import type { ServerRows } from '../../api/index.ts';
import type { Egress, InjectRule, OwnAnswer } from '../../egress/index.ts';
import { AppError, type CellId, limits, newId, type Random, type WorkspaceId } from '../../kernel/index.ts';
import { makePlaceholder } from '../../manifest/index.ts';
import type { KillSwitch, Principal } from '../../mcp/index.ts';
import type { GrantServer, GrantSlot, OAuthAnswer, OAuthHttp, OAuthRequest } from '../../oauth/index.ts';
import type { StoredCredential } from '../egress-ports.ts';
import { challengesIn } from './challenges.ts';

export interface OAuthHttpDeps {
  readonly workspace: WorkspaceId;
  readonly operator: Principal;
  readonly kills: Pick<KillSwitch, 'check'>;
  readonly servers: Pick<ServerRows, 'find'>;
  readonly egress: () => Pick<Egress, 'openOwn'>;
  readonly random: Random;
}

export interface OwnOAuthHttp extends OAuthHttp {
  /** What a request on its way may have put into it, by the names that its bindings have; null: it is none of these. */
  credentialsOf(cell: CellId): ReadonlyMap<string, StoredCredential> | null;
}

/** Long enough not to be met by chance in an answer. */
const STAND_IN = 'oauth_{alnum:40}';

export function createOAuthHttp({
  workspace,
  operator,
  kills,
  servers,
  egress,
  random,
}: OAuthHttpDeps): OwnOAuthHttp {
  const underway = new Map<CellId, ReadonlyMap<string, StoredCredential>>();

  async function send(server: GrantServer, request: OAuthRequest): Promise<OAuthAnswer> {
    // What is under way may end: its answer may hold the only token that there is, which nobody uses until the switch is lifted.
    await kills.check(operator, server.slug);
    const row = await servers.find(workspace, server.slug);
    if (row === null || row.id !== server.id)
      throw new AppError('server_unknown', `There is no server \`${server.slug}\` any more.`, {
        kind: 'not_found',
      });
    const { url, method } = request;
    const id = newId<'cell'>('oau', random);
    const placeholders = new Map<GrantSlot, string>(
      request.slots.map(({ slot }) => [slot, makePlaceholder(STAND_IN, random)]),
    );
    underway.set(id, new Map(request.slots.map(({ slot }) => [slot, { row, name: slot }])));
    const protocol = url.protocol === 'https:' ? 'https' : 'http';
    const port = url.port === '' ? (protocol === 'https' ? 443 : 80) : Number(url.port);
    const place = { host: url.hostname, port, methods: [method], paths: [url.pathname] };
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(timedOut(url)), limits.oauthExchangeTimeoutMs);
    try {
      const share = await egress().openOwn({
        identity: { cell: id, workspace, server: server.slug, profile: '', owner: null },
        rules: [{ ...place, protocol }],
        credentials: request.slots.map(({ slot, into }) => ({
          name: slot,
          placeholder: placeholders.get(slot) ?? '',
          hosts: [place.host],
          ports: [port],
          methods: place.methods,
          paths: place.paths,
          inject: [into satisfies InjectRule],
        })),
      });
      try {
        const answer = await share.request(
          {
            method,
            scheme: protocol,
            host: place.host,
            port,
            target: url.pathname + url.search,
            fields: request.headers,
            body: request.body === null ? null : Buffer.from(request.body, 'utf8'),
          },
          late.signal,
        );
        const text = await textOf(answer, url);
        return {
          status: answer.status,
          wwwAuthenticate: challengesIn(answer),
          text,
          placeholders,
        };
      } finally {
        share.close();
      }
    } finally {
      clearTimeout(timer);
      underway.delete(id);
    }
  }
  return { send, credentialsOf: (cell) => underway.get(cell) ?? null };
}

/** Of events nothing is read: they are the answer of a server that wants no login, and need not end. */
async function textOf({ fields, body }: OwnAnswer, url: URL): Promise<string> {
  if (/^text\/event-stream\b/i.test(fields.get('content-type') ?? '')) {
    body.destroy();
    return '';
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > limits.oauthAnswerBytesMax) throw tooLarge(url);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

const tooLarge = (url: URL): AppError =>
  new AppError(
    'oauth_answer_too_large',
    `${url.host} answered with more than ${limits.oauthAnswerBytesMax} bytes, which is no answer to this.`,
    { kind: 'unavailable', hint: 'It is the server that has to be set up rightly.' },
  );

const timedOut = (url: URL): AppError =>
  new AppError('oauth_timeout', `${url.host} did not answer in time.`, {
    kind: 'unavailable',
    hint: 'Try again in a while.',
  });
