/**
 * `subscriptions/listen` of protocol revision 2026-07-28: a request that stays open, acknowledged with what it
 * will deliver, followed by the changes that it asked for, each marked with the subscription's id.
 */
import { AppError, limits } from '../../kernel/index.ts';
import { notificationText, paramSpan, type RpcRequest, resultText } from '../protocol/message.ts';
import { metaKey } from '../protocol/protocol.ts';
import { elementsOf, find, insertMembers, membersOf, slice, splice, stringAt } from '../protocol/raw-json.ts';
import { watchedTooMany } from '../upstream/resource-watchers.ts';
import type { RequestControl } from './request-control.ts';

const CHANGES: Readonly<Record<string, string>> = {
  'notifications/tools/list_changed': 'toolsListChanged',
  'notifications/prompts/list_changed': 'promptsListChanged',
  'notifications/resources/list_changed': 'resourcesListChanged',
};

const RESOURCE_UPDATED = 'notifications/resources/updated';

export interface Change {
  readonly method: string;
  /** The resource, for an update of one. */
  readonly uri: string | null;
  readonly text: string;
}

interface Subscription {
  readonly kinds: ReadonlySet<string>;
  readonly uris: ReadonlySet<string>;
  readonly finish: () => void;
}

export class Subscriptions {
  readonly #send: (text: string, relatedIdText: string) => void;
  readonly #open = new Map<string, Subscription>();
  readonly #opened: () => void;
  #used = false;

  /** @param opened told when the client begins to listen */
  constructor(send: (text: string, relatedIdText: string) => void, opened: () => void) {
    this.#send = send;
    this.#opened = opened;
  }

  /** Whether the client hears of any change this way now. */
  get isOpen(): boolean {
    return this.#open.size > 0;
  }

  /** Whether the client ever asked for changes this way. */
  get isUsed(): boolean {
    return this.#used;
  }

  /**
   * Resolves when the subscription ends.
   *
   * @param watch makes the changes arrive: of the endpoint's servers, and of these resources; takes out those that are
   *   refused, of which nothing is said to the client and nothing arrives
   */
  async serve(
    request: RpcRequest,
    control: RequestControl,
    watch: (uris: Set<string>) => Promise<void>,
  ): Promise<string> {
    const filter = paramSpan(request, 'notifications');
    const wanted = filter === null ? null : membersOf(request.text, filter.start);
    if (wanted === null) {
      throw new AppError('mcp_params_invalid', "'notifications' is required and must be an object.", {
        kind: 'invalid',
      });
    }
    const kinds = new Set(Object.values(CHANGES).filter((kind) => isTrue(request.text, wanted.get(kind))));
    const list = wanted.get('resourceSubscriptions');
    const elements = list === undefined ? [] : (elementsOf(request.text, list) ?? []);
    const uris = new Set(elements.map((span) => stringAt(request.text, span)).filter((uri) => uri !== null));
    if (uris.size > limits.mcpWatchedResourcesMax) throw watchedTooMany();
    await watch(uris);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#used = true;
    this.#open.set(request.idText, { kinds, uris, finish: resolve });
    control.onEnd(() => resolve());
    const honored: Record<string, true | string[]> = Object.fromEntries(
      [...kinds].map((kind) => [kind, true]),
    );
    if (uris.size > 0) honored['resourceSubscriptions'] = [...uris];
    const ack = notificationText(
      'notifications/subscriptions/acknowledged',
      `{"notifications":${JSON.stringify(honored)},"_meta":${this.#mark(request.idText)}}`,
    );
    this.#send(ack, request.idText);
    this.#opened();
    if (kinds.size > 0 || uris.size > 0) await promise;
    this.#open.delete(request.idText);
    return resultText(request.idText, `{"resultType":"complete","_meta":${this.#mark(request.idText)}}`);
  }

  /** Delivers a change to who asked for it. Returns false where this client's changes need no subscription. */
  take(change: Change): boolean {
    const kind = CHANGES[change.method];
    if (!this.#used || (kind === undefined && change.method !== RESOURCE_UPDATED)) return false;
    for (const [idText, subscription] of this.#open) {
      const wanted =
        kind === undefined ? subscription.uris.has(change.uri ?? '') : subscription.kinds.has(kind);
      if (wanted) this.#send(marked(change.text, `"${metaKey.subscriptionId}":${idText}`), idText);
    }
    return true;
  }

  close(): void {
    for (const { finish } of this.#open.values()) finish();
  }

  #mark(idText: string): string {
    return `{"${metaKey.subscriptionId}":${idText}}`;
  }
}

const isTrue = (text: string, span: { start: number; end: number } | undefined): boolean =>
  span !== undefined && slice(text, span) === 'true';

/** The notification with a member added to its `_meta`. */
function marked(text: string, member: string): string {
  const meta = find(text, 0, ['params', '_meta']);
  if (meta !== null) return splice(text, [insertMembers(text, meta.start, member)]);
  const params = find(text, 0, ['params']);
  if (params !== null) return splice(text, [insertMembers(text, params.start, `"_meta":{${member}}`)]);
  return splice(text, [insertMembers(text, 0, `"params":{"_meta":{${member}}}`)]);
}
