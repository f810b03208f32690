/**
 * Policy: pure decisions with their explanation. Facts come in, `allow` or a readable refusal goes out; nothing
 * here reads a store, a clock or a socket. Absence denies.
 */
export {
  type Agreement,
  type Approval,
  type ApprovalAsk,
  type ApprovalFault,
  type ApprovalScope,
  type ApprovalState,
  approvalStates,
  approve,
  askApproval,
  claim,
  combineAsks,
  counted,
  endOf,
  reject,
  revoke,
  settled,
} from './approvals/approval.ts';
export { type Deciding, deciding, type People } from './approvals/people.ts';
export { canonicalRequest, type HeldRequest } from './approvals/canonical-request.ts';
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
  decideLimits,
  type Exceeded,
  type KeptCounts,
  type LimitedRequest,
  type LimitPlan,
  planLimits,
  resultBytesMax,
} from './limiting/limit-plan.ts';
export {
  callerOf,
  countUse,
  firstDayOf,
  placesOf,
  startUse,
  usedOf,
  type UsePlace,
} from './limiting/uses.ts';
export { type LimitRefusal, limitRefusal, usageMoved } from './limiting/limit-refusal.ts';
export {
  type Decoded,
  type DecodeOptions,
  decodePolicy,
  type PolicyError,
} from './rules/decode.ts';
export { subjects } from './rules/request.ts';
export { combineRules, NO_RULES, type Rules } from './rules/engine.ts';
export type { KnownThings, KnownTool } from './rules/known-names.ts';
export { maskingRules, masksBeside } from './rules/masking.ts';
export { plainReading } from './rules/readings.ts';
export { refusalOf, type RuleRefusalCode } from './rules/refusal.ts';
export type { EgressFacts, RuleRequest, Subject } from './rules/request.ts';
export {
  type DecidedLimit,
  type DecidedAlert,
  type DecidedMask,
  type DecidedUsage,
  type Deed,
  deeds,
  type Matched,
  type Rule,
  type RuleDecision,
  type RuleSet,
} from './rules/types.ts';
export { type UsageCounts, usageKey, type UsageName } from './rules/usage.ts';
export { exampleOf } from './templates/example-text.ts';
export { templates } from './templates/catalogue.ts';
export type { Parameter, Sample, Template } from './templates/template.ts';
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
