/** What goes on record of calls, refusals and what was masked. */
import type { CellId } from '../../kernel/index.ts';
import type { MaskingHit } from '../../masking/index.ts';
import type { Principal } from './callers.ts';

/** A `tools/call` as the audit log and the data plane know it. */
export interface CallFacts {
  /** Identifier of the call, `call_…`. */
  readonly id: string;
  readonly principal: Principal;
  readonly profile: string | null;
  readonly server: string;
  /** The server's own name of the tool. */
  readonly tool: string;
  readonly cell: CellId;
}

export interface CallOutcome {
  /** `ok`, `tool_error` (a result with isError), `error` (a JSON-RPC error of the server), `cancelled`, `failed` (ours). */
  readonly outcome: 'ok' | 'tool_error' | 'error' | 'cancelled' | 'failed';
  /** Error code where there is one: the gateway's own (`upstream_exited`) or the server's number as text. */
  readonly code?: string;
  readonly durationMs: number;
}

export interface CallRefusal {
  readonly principal: Principal;
  readonly profile: string | null;
  /** Null where the caller was turned away before it named one. */
  readonly server: string | null;
  readonly tool: string | null;
  /** In place of a tool: the server's own name of a prompt, or a resource's URI; or a method that names nothing. */
  readonly prompt?: string;
  readonly resource?: string;
  readonly method?: string;
  readonly code: string;
  /** Of the owner's rules, the one that refused it. */
  readonly rule?: string;
}

/** What a rule wants somebody to be told of. */
interface AlertedRequest {
  readonly principal: Principal;
  readonly profile: string | null;
  readonly server: string;
  /** One of them. */
  readonly tool?: string;
  readonly prompt?: string;
  readonly resource?: string;
  readonly rule: string;
  readonly severity: string;
  /** What became of it, as far as rules go. */
  readonly outcome: string;
}

/** What something was masked in. Without any of them: what a server said beside its answers. */
export interface MaskedThing {
  /** Identifier of the call. */
  readonly call?: string;
  readonly tool?: string;
  readonly prompt?: string;
  readonly resource?: string;
  readonly method?: string;
}

export interface MaskedAnswer extends MaskedThing {
  readonly principal: Principal;
  readonly profile: string | null;
  readonly server: string;
  readonly hits: readonly MaskingHit[];
}

export interface CallAudit {
  /** Resolves when `call.started` is durable; the call is forwarded only then. @throws AppError `audit_unavailable` */
  started(call: CallFacts): Promise<void>;
  finished(call: CallFacts, outcome: CallOutcome): Promise<void>;
  refused(refusal: CallRefusal): Promise<void>;
  masked(answer: MaskedAnswer): Promise<void>;
  /** One of the owner's rules wants somebody to be told. */
  alerted(request: AlertedRequest): Promise<void>;
}
