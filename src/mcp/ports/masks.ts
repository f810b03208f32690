/** What masks answers. */
import type { WorkspaceId } from '../../kernel/index.ts';
import type { Masker, MaskingHit } from '../../masking/index.ts';
import type { DecidedMask } from '../../policy/index.ts';

/** Compiled rules that mask. */
export interface Maskers {
  /** By what is looked for anywhere: detectors and patterns. Null: nothing is. */
  readonly whole: Masker | null;
  /** All of them, with what is masked by its place: keys and pointers. Null: nothing is masked by its place. */
  readonly placed: Masker | null;
  /**
   * Does the same to a whole message on another thread; absent: there is none.
   *
   * @throws AppError `mask_answer_too_large`, `mask_busy`, `mask_failed`
   */
  readonly apart?: (message: LargeMessage) => Promise<MaskedMessage>;
}

export interface LargeMessage {
  /** JSON. */
  readonly text: string;
  /** What structured content of an answer has to be; null: anything. */
  readonly schema: string | null;
}

export interface MaskedMessage {
  /** Null: there is nothing to mask in it. */
  readonly text: string | null;
  readonly hits: readonly MaskingHit[];
}

/** Compiles what is masked, once for each set of rules. */
export interface MaskBook {
  /** @throws AppError `masking_unavailable`: nothing may be answered then */
  maskersOf(workspace: WorkspaceId, masks: readonly DecidedMask[]): Promise<Maskers>;
  /** Ends what works for it; what that was at fails. */
  close(): void;
}
