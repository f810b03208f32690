/**
 * Opens what one request needs of the cell's credentials. The intent is durable before a value is there, and no value is
 * handed out that could come back in an answer unseen.
 */
import type { Secret } from '../kernel/index.ts';
import type { ExchangeRecord } from './exchange-record.ts';
import type { CellEgressSpec, CredentialBinding, CredentialSource } from './ports.ts';
import { Refusal } from './refusals.ts';
import type { EgressRequest } from './request.ts';
import type { Trail } from './trail.ts';

export interface OpenerHost {
  readonly spec: CellEgressSpec;
  readonly credentials: CredentialSource;
  readonly trail: Trail;
  /** Whether answers are scrubbed of this value, as far as that can be. */
  masks(credential: string, value: Secret): boolean;
  /** Loads what answers are scrubbed of anew. */
  refresh(): Promise<void>;
}

export class CredentialOpener {
  readonly #host: OpenerHost;
  readonly #request: EgressRequest;
  readonly #record: ExchangeRecord;

  constructor(host: OpenerHost, request: EgressRequest, record: ExchangeRecord) {
    this.#host = host;
    this.#request = request;
    this.#record = record;
  }

  /**
   * Every credential that binding found a place for, once, however many places it goes to. Each use, or the request as
   * such, is durable after this.
   *
   * @param opened takes them, also those before one that fails; destroyed by the caller
   * @throws AppError `vault_*`, `audit_unavailable`, `kill_active`; Refusal `egress_credential_unmasked`
   */
  async openAll(opened: Map<string, Secret>): Promise<void> {
    const { injections } = this.#request;
    if (injections.length === 0) {
      await this.#host.trail.intent(this.#record.facts);
      this.#record.intended = true;
    }
    for (const { binding } of injections) {
      if (!opened.has(binding.name)) opened.set(binding.name, await this.open(binding));
    }
  }

  /** One of them; the caller destroys it. @throws as `openAll` */
  async open({ name }: CredentialBinding): Promise<Secret> {
    const { credentials, spec } = this.#host;
    const secret = await credentials.use(spec.identity, name, this.#record.facts);
    this.#record.intended = true;
    try {
      /* A key that changed a moment ago must not come back before answers are searched for it. */
      if (!this.#host.masks(name, secret)) await this.#host.refresh();
      if (!this.#host.masks(name, secret))
        throw Refusal.of('egress_credential_unmasked', { credential: name });
    } catch (error) {
      secret.destroy();
      throw error;
    }
    return secret;
  }
}
