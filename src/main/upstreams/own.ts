/**
 * A server whose requests the gateway makes itself, from its start to its end: nothing of it is a process. What holds for a
 * cell holds for it: credentials that are there, a way out with placeholders, and its start in the audit log before anything
 * is sent.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerRow } from '../../api/index.ts';
import type { AuditEventType } from '../../audit/index.ts';
import type {
  CellEgressSpec,
  CredentialBinding,
  OwnAnswer,
  OwnRequest,
  OwnShare,
} from '../../egress/index.ts';
import { type CellId, type JsonObject, limits, newId } from '../../kernel/index.ts';
import { makePlaceholder, type Manifest } from '../../manifest/index.ts';
import type { UpstreamExit, UpstreamTransport } from '../../mcp/index.ts';
import { bindingOf } from '../cells/binding.ts';
import { type CellKey, heldBy } from '../cells/cell-key.ts';
import { cellCaller, credentialInfos, missingCredential } from '../cells/credentials.ts';
import type { Ending, RunningCell, StartDeps } from '../cells/start.ts';
import { noteIn, startedText } from '../cells/start-record.ts';

/** What is started, and for whom. */
export interface OwnOrder {
  readonly row: ServerRow;
  readonly manifest: Manifest;
  readonly key: CellKey;
  /** What its identifiers begin with. */
  readonly prefix: 'api' | 'rmt';
  /** What becomes of requests that may change something while only tools run that say that they only read. */
  readonly readOnly: NonNullable<CellEgressSpec['tools']>['readOnly'];
  /** What it may use besides, which its manifest does not list. */
  readonly unlisted?: readonly CredentialBinding[];
}

/** The running server, as far as it is the same for all that the gateway speaks to itself. */
export interface Own {
  readonly cell: CellId;
  readonly exited: Promise<UpstreamExit>;
  close(reason: string): Promise<void>;
  /** Puts into the audit log why a request is made, before it is. @throws AppError `audit_unavailable` */
  explain(facts: {
    readonly method: string;
    readonly target: string;
    readonly reason: string;
  }): Promise<void>;
  /** Puts into the audit log that a call was refused before any request was made of it. @throws AppError `audit_unavailable` */
  refused(tool: string, code: string): Promise<void>;
  /** @throws AppError as `OwnShare.request`; `vault_credential_missing` while a credential that is required has no value */
  request(request: OwnRequest, signal: AbortSignal): Promise<OwnAnswer>;
  /** The gateway's own words in its log. */
  note(text: string): void;
  /** Before it ends in its own time this is done, for as long as `ownFarewellMs`. Returns the way to take it back. */
  onFarewell(tell: () => Promise<void>): () => void;
}

/**
 * @param transportOf how the front reaches it
 * @throws AppError `audit_unavailable`
 */
export async function startOwn(
  deps: StartDeps,
  { row, manifest, key, prefix, readOnly, unlisted = [] }: OwnOrder,
  onStarting: (id: CellId) => void,
  transportOf: (own: Own) => UpstreamTransport,
): Promise<RunningCell> {
  const id = newId<'cell'>(prefix, deps.random);
  // Nothing is sent without a credential that is required, but what there is can be looked at before it is set.
  const present = heldBy(key.owner, await credentialInfos(deps, row));
  const missing = missingCredential(row.slug, manifest, present);
  onStarting(id);
  const { actor } = cellCaller(deps.workspace, id);
  const record = (type: AuditEventType, data: JsonObject) =>
    deps.audit.append({ workspace: deps.workspace, type, actor, server: row.slug, data });
  await record('upstream.opened', {
    kind: manifest.server.kind,
    profile: key.profile,
    owner: key.owner,
    shared: key.shared,
    manifest: row.manifestHash,
    credentials: [...present.keys()],
  });
  const share = await deps.egress.openOwn({
    identity: {
      cell: id,
      workspace: deps.workspace,
      server: row.slug,
      profile: key.profile ?? '',
      owner: key.owner,
    },
    rules: manifest.egress,
    credentials: [
      ...manifest.credentials
        .filter(({ tier, name }) => tier === 'sealed' && present.has(name))
        .map((slot) => bindingOf(slot, makePlaceholder(slot.placeholder, deps.random))),
      ...unlisted,
    ],
    tools: { rules: manifest.tools?.egress ?? [], readOnly },
  });
  const note = noteIn(deps, row, id);
  note(startedText(key));
  const life = new Life(share, deps.stopGraceMs, async (reason) => {
    note(`ended: ${reason}`);
    // It is gone either way; a log that cannot be written stops the next start instead.
    await record('upstream.closed', { reason }).catch(() => undefined);
  });
  return {
    id,
    server: row,
    key,
    startedAt: deps.clock.now(),
    credentials: present,
    entrusted: false,
    egress: share,
    idleSeconds: null,
    transport: transportOf({
      cell: id,
      exited: life.exited,
      close: (reason) => life.stop(reason, 'ask'),
      async explain({ method, target, reason }) {
        await record('upstream.reason', { method, path: target.split('?', 1)[0] ?? '', reason });
      },
      async refused(tool, code) {
        await record('upstream.refused', { tool, code });
      },
      async request(request, signal) {
        if (missing !== null) throw missing;
        return life.request(request, signal);
      },
      note,
      onFarewell: (tell) => life.onFarewell(tell),
    }),
    stop: (reason, ending) => life.stop(reason, ending),
  };
}

/** Its requests, counted, so that it can be asked to end after the last of them. */
class Life {
  readonly exited: Promise<UpstreamExit>;
  readonly #share: OwnShare;
  readonly #graceMs: number;
  readonly #ended: (exit: UpstreamExit) => void;
  readonly #told: (reason: string) => Promise<void>;
  readonly #farewells = new Set<() => Promise<void>>();
  #running = 0;
  #idle: (() => void) | null = null;
  #stopped: Promise<void> | null = null;

  constructor(share: OwnShare, graceMs: number, told: (reason: string) => Promise<void>) {
    const { promise, resolve } = Promise.withResolvers<UpstreamExit>();
    this.exited = promise;
    this.#ended = resolve;
    this.#share = share;
    this.#graceMs = graceMs;
    this.#told = told;
  }

  async request(request: OwnRequest, signal: AbortSignal): Promise<OwnAnswer> {
    this.#running += 1;
    try {
      const answer = await this.#share.request(request, signal);
      answer.body.once('close', () => this.#done());
      return answer;
    } catch (error) {
      this.#done();
      throw error;
    }
  }

  onFarewell(tell: () => Promise<void>): () => void {
    this.#farewells.add(tell);
    return () => this.#farewells.delete(tell);
  }

  #done(): void {
    this.#running -= 1;
    if (this.#running === 0) this.#idle?.();
  }

  async stop(reason: string, ending: Ending): Promise<void> {
    if (ending !== 'ask') this.#share.close();
    this.#stopped ??= this.#end(reason, ending);
    if (ending !== 'ask') this.#idle?.();
    await this.#stopped;
  }

  async #end(reason: string, ending: Ending): Promise<void> {
    if (ending === 'ask') {
      const late = sleep(limits.ownFarewellMs, undefined, { ref: false });
      const told = Promise.allSettled([...this.#farewells].map((tell) => tell()));
      await Promise.race([told, late]);
    }
    if (this.#running > 0) {
      const idle = new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
      await Promise.race([
        idle,
        sleep(Math.min(this.#graceMs, limits.upstreamHeadTimeoutMs), undefined, { ref: false }),
      ]);
    }
    this.#share.close();
    await this.#told(reason);
    this.#ended({ code: null, signal: null, reason });
  }
}
