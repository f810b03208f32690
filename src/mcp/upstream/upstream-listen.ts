/**
 * The gateway's one `subscriptions/listen` at a server of revision 2026-07-28: what its lists and the resources that
 * clients watch become, for every client that uses the server. Where other resources are watched, a new subscription
 * takes over from the old one once the server has acknowledged it, so that no change falls between the two.
 */
import { AppError, type Clock, limits, type Log } from '../../kernel/index.ts';
import { listChanged, listed } from '../protocol/lists.ts';
import {
  notificationText,
  ownRequest,
  paramSpan,
  readEnvelope,
  type RpcNotification,
} from '../protocol/message.ts';
import { metaKey } from '../protocol/protocol.ts';
import { membersOf, slice, splice } from '../protocol/raw-json.ts';
import type { ServerHello } from './server-hello.ts';
import type { UpstreamConnection } from './upstream-connection.ts';
import type { PendingRequest } from './waiting-request.ts';
import { upstreamFailure } from './upstream-failure.ts';

const ACKNOWLEDGED = 'notifications/subscriptions/acknowledged';

interface Subscription {
  readonly filterText: string;
  /** `Clock.monotonic()` when it was asked for. */
  readonly sinceMs: number;
  pending: PendingRequest | null;
}

export interface ListenDeps {
  readonly connection: UpstreamConnection;
  readonly hello: ServerHello;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly log: Log;
}

export class UpstreamListen {
  readonly #deps: ListenDeps;
  /** Lists whose changes the server promises to tell. */
  readonly #lists: readonly (typeof listed)[number][];
  #uris: readonly string[] = [];
  /** The one whose changes count. */
  #current: Subscription | null = null;
  #turn: Promise<void> = Promise.resolve();
  #pauseMs: number = limits.mcpListenPauseMs;
  /** Whether there was a time of which nothing is known. */
  #hasMissed = false;

  constructor(deps: ListenDeps) {
    this.#deps = deps;
    this.#lists = listed.filter((list) => deps.hello.has(list, 'listChanged'));
  }

  /** Listens to the lists. What comes of it is nobody's to wait for. */
  start(): void {
    this.watch([]).catch((error: unknown) => {
      const code = error instanceof AppError ? error.code : 'internal_error';
      this.#deps.log.warn('mcp.upstream.not_listening', { server: this.#deps.connection.slug, code });
      this.#again(error);
    });
  }

  /**
   * Resolves once the server reports the changes of exactly these resources.
   *
   * @throws AppError `upstream_…`: things are as before then
   */
  watch(uris: readonly string[]): Promise<void> {
    const before = this.#uris;
    this.#uris = uris;
    const turn = this.#turn.then(() => this.#bring());
    this.#turn = turn.catch(() => {
      if (this.#uris === uris) this.#uris = before;
    });
    return turn;
  }

  /** To where things should be by now; what was asked for meanwhile may have brought it there already. */
  async #bring(): Promise<void> {
    const filterText = this.#filterText();
    if (filterText === (this.#current?.filterText ?? null) || !this.#deps.connection.alive) return;
    if (filterText === null) this.#takeOver(null);
    else await this.#open(filterText);
  }

  /** From here on the changes of this one count. */
  #takeOver(next: Subscription | null): void {
    const previous = this.#current;
    this.#current = next;
    previous?.pending?.cancel(takenOver());
  }

  #filterText(): string | null {
    if (this.#lists.length === 0 && this.#uris.length === 0) return null;
    const filter: Record<string, true | readonly string[]> = Object.fromEntries(
      this.#lists.map((list) => [`${list}ListChanged`, true]),
    );
    if (this.#uris.length > 0) filter['resourceSubscriptions'] = this.#uris;
    return JSON.stringify(filter);
  }

  async #open(filterText: string): Promise<void> {
    const { connection } = this.#deps;
    const subscription: Subscription = { filterText, pending: null, sinceMs: this.#deps.clock.monotonic() };
    const { promise: acknowledged, resolve } = Promise.withResolvers<void>();
    const pending = connection.request({
      message: ownRequest('subscriptions/listen', `{"notifications":${filterText}}`),
      owner: null,
      changes: (notification) => {
        if (notification.method === ACKNOWLEDGED) {
          // At once: the next thing that the server says may be the first change.
          this.#takeOver(subscription);
          this.#catchUp();
          resolve();
        } else if (this.#current === subscription) connection.spread(unmarked(notification));
      },
    });
    subscription.pending = pending;
    const ended = pending.response.then(
      (answer) => (answer.failed ? upstreamFailure(connection.slug, answer) : answer),
      (error: unknown) => error,
    );
    const timer = setTimeout(() => pending.cancel(notAcknowledged(connection.slug)), limits.mcpInitializeMs);
    const first = await Promise.race([acknowledged, ended]);
    clearTimeout(timer);
    if (this.#current !== subscription && first instanceof Error) throw first;
    void ended.then((end) => this.#ended(subscription, end));
  }

  /** The server ended it. */
  #ended(subscription: Subscription, end: unknown): void {
    if (this.#current !== subscription) return;
    this.#current = null;
    this.#hasMissed = true;
    const lastedMs = this.#deps.clock.monotonic() - subscription.sinceMs;
    if (lastedMs >= limits.remoteStreamShortMs) this.#pauseMs = limits.mcpListenPauseMs;
    this.#again(end);
  }

  /** Opens it after a pause, ever more rarely while it does not last, unless it is refused. */
  #again(end: unknown): void {
    const { connection, log } = this.#deps;
    if (!connection.alive || isRefusal(end)) return;
    const pauseMs = this.#pauseMs;
    this.#pauseMs = Math.min(pauseMs * 2, limits.mcpListenPauseMsMax);
    log.debug('mcp.upstream.listen_ended', { server: connection.slug, pauseMs });
    const open = (): void => void this.watch(this.#uris).catch((error: unknown) => this.#again(error));
    setTimeout(open, pauseMs).unref();
  }

  /** What changed while nobody listened is told by nobody else, and clients that listen here do not know of the gap. */
  #catchUp(): void {
    if (!this.#hasMissed) return;
    this.#hasMissed = false;
    const { connection } = this.#deps;
    for (const list of this.#lists) connection.spread(own(listChanged(list)));
    for (const uri of this.#uris) connection.spread(own('notifications/resources/updated', { uri }));
  }
}

/** Whether the server will have none of it, or not without somebody's doing something first, rather than being away. */
function isRefusal(end: unknown): boolean {
  if (!(end instanceof AppError)) return false;
  if (end.kind === 'denied' || end.code === 'upstream_error' || end.code.startsWith('oauth_')) return true;
  const status = end.detail?.['status'];
  return typeof status === 'number' && status < 500 && status !== 408 && status !== 429;
}

function own(method: string, params?: object): RpcNotification {
  const parsed = readEnvelope(notificationText(method, params && JSON.stringify(params)));
  if (!parsed.ok || parsed.value.kind !== 'notification') throw new Error('own notification is malformed');
  return parsed.value;
}

/** The change as a server that knows no subscriptions would tell it. */
function unmarked(notification: RpcNotification): RpcNotification {
  const meta = paramSpan(notification, '_meta');
  const members = meta === null ? null : membersOf(notification.text, meta.start);
  if (meta === null || members === null) return notification;
  const kept = [...members]
    .filter(([name]) => name !== metaKey.subscriptionId)
    .map(([name, span]) => `${JSON.stringify(name)}:${slice(notification.text, span)}`);
  const parsed = readEnvelope(splice(notification.text, [{ ...meta, text: `{${kept.join(',')}}` }]));
  return parsed.ok && parsed.value.kind === 'notification' ? parsed.value : notification;
}

const takenOver = (): AppError =>
  new AppError('upstream_subscription_replaced', 'Another subscription takes over.', { kind: 'failed' });

const notAcknowledged = (slug: string): AppError =>
  new AppError('upstream_timeout', `The server "${slug}" did not acknowledge a subscription.`, {
    kind: 'unavailable',
  });
