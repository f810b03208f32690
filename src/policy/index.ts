/**
 * Policy: pure decisions with their explanation. Facts come in, `allow` or a readable refusal goes out; nothing
 * here reads a store, a clock or a socket. Absence denies.
 */
export {
  type CallFacts,
  type CallRefusalCode,
  type CallRequest,
  type Decision,
  decideCall,
  isSelected,
  type ToolChoice,
  type ToolFacts,
  visibleTools,
} from './call.ts';
export { type CallTimes, type CredentialUse, decideUse } from './credential-use.ts';
export type { Permission, Refusal } from './decision.ts';
export {
  type BindingLike,
  type BindingRefusalCode,
  type BoundRequest,
  type EgressDecision,
  type EgressRefusalCode,
  type EgressRequest,
  type EgressRuleLike,
  matchBinding,
  matchEgress,
} from './egress.ts';
export { decideKill, findKill, type Kill, type KillScope, type KillSubject } from './kill.ts';
export {
  decideToolEgress,
  type ReadOnlyMode,
  type ToolDecision,
  type ToolEgress,
  type ToolEgressRule,
  type ToolRefusalCode,
  type ToolRequest,
  type ToolUse,
} from './tool-egress.ts';
