/**
 * The owner's rules that mask, at the gate: what a server answers passes here before anybody else sees it, and so does why
 * it did not answer. Whether it can be masked is known before the server is asked.
 */
import type { Log } from '../../kernel/index.ts';
import type { MaskingHit } from '../../masking/index.ts';
import type { DecidedMask } from '../../policy/index.ts';
import type { Target } from '../gate/forwarded.ts';
import type { RpcResponse } from '../protocol/message.ts';
import type { CallAudit, MaskedThing } from '../ports/call-audit.ts';
import type { MaskBook } from '../ports/masks.ts';
import type { RequestControl } from '../client/request-control.ts';
import { isLater } from '../soon.ts';
import type { Terms } from '../gate/terms.ts';
import { BesideMask } from './beside-mask.ts';
import { maskError, maskOutcome, type Told } from './masked-message.ts';

export interface AnswerMaskingDeps {
  readonly masks: Pick<MaskBook, 'maskersOf'>;
  readonly audit: Pick<CallAudit, 'masked'>;
  readonly log: Log;
}

/** An answer that is held. */
export interface Answered {
  /** What it is, for the record. */
  readonly about: MaskedThing;
  /** Of the request; null: there is none that could end. */
  readonly control: RequestControl | null;
  /** What structured content of it has to be; null: anything. */
  readonly schema?: string | null;
}

export class AnswerMasking {
  readonly #deps: AnswerMaskingDeps;
  readonly #terms: Pick<Terms, 'beside'>;

  constructor(deps: AnswerMaskingDeps, terms: Pick<Terms, 'beside'>) {
    this.#deps = deps;
    this.#terms = terms;
  }

  /**
   * @param masks what holds for this request
   * @throws AppError `masking_unavailable`, `mask_answer_too_large`, `mask_failed`, and what `work` does, masked
   */
  async held(
    target: Target,
    masks: readonly DecidedMask[],
    { about, control, schema = null }: Answered,
    work: () => Promise<RpcResponse>,
  ): Promise<RpcResponse> {
    if (masks.length === 0) return work();
    const maskers = await this.#deps.masks.maskersOf(target.principal.workspace, masks);
    return goingOn(control, await maskOutcome(maskers, this.#told(target, about), work, schema));
  }

  /** The same for an answer that no rule is asked about by itself. */
  async heldBeside(
    target: Target,
    { about, control }: Answered,
    work: () => Promise<RpcResponse>,
  ): Promise<RpcResponse> {
    const beside = this.#terms.beside(target);
    const { maskers } = isLater(beside) ? await beside : beside;
    if (maskers === null) return work();
    return goingOn(control, await maskOutcome(maskers, this.#told(target, about), work, null));
  }

  /** An answer that asks for something, and was made of what the server asked. */
  asking(target: Target, answer: RpcResponse): Promise<RpcResponse> {
    return this.heldBeside(target, { about: {}, control: null }, () => Promise.resolve(answer));
  }

  /** Why a server did not start, in its own words for a part. */
  async failure(target: Target, error: unknown): Promise<unknown> {
    const { maskers } = await this.#terms.beside(target);
    return maskers === null ? error : maskError(error, maskers, this.#told(target, {}));
  }

  /** What masks whatever the server says beside its answers. */
  beside(target: Target): BesideMask {
    const find = () => {
      const beside = this.#terms.beside(target);
      return isLater(beside) ? beside.then(({ maskers }) => maskers) : beside.maskers;
    };
    return new BesideMask(find, this.#told(target, {}));
  }

  #told({ principal, profile, server }: Target, about: MaskedThing): Told {
    const { audit, log } = this.#deps;
    return (hits: readonly MaskingHit[]): void => {
      audit.masked({ principal, profile, server: server.slug, ...about, hits }).catch((error: unknown) => {
        log.error('mcp.mask.not_recorded', { server: server.slug, error: String(error) });
      });
    };
  }
}

/** Much may have happened since the server answered: it may have been masked on another thread. @throws AppError why it ended */
function goingOn(control: RequestControl | null, answer: RpcResponse): RpcResponse {
  control?.assertGoing();
  return answer;
}
