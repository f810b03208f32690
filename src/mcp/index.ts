/**
 * The MCP front: takes clients over Streamable HTTP and stdio, and routes them to servers in cells. Messages pass
 * through as text; the gateway reads what it must and changes what it has to.
 */
export { keyedHash } from './masking/keyed-hash.ts';
export { maskersFor } from './masking/mask-recipe.ts';
export { MaskThreads } from './masking/mask-threads.ts';
export { createFront } from './front.ts';
export type {
  CellActivity,
  Endpoint,
  Front,
  FrontConfig,
  FrontDeps,
  StdioSession,
} from './front-contract.ts';
export { isApprovable } from './pinning/definition-hash.ts';
export { definitionKey, pinVerdict } from './pinning/verdict.ts';
export { nameSkeleton } from './pinning/look-alike-names.ts';
export { reviewDefinition } from './pinning/review.ts';
export type { CallAudit, CallFacts, CallOutcome, CallRefusal, MaskedAnswer } from './ports/call-audit.ts';
export type { Authenticate, Principal, Standing } from './ports/callers.ts';
export type { CallRef, CellCalls, EndedTool } from './ports/cell-calls.ts';
export type { ApprovedTool, DefinitionKind, Definitions, SeenDefinition } from './ports/definitions.ts';
export type {
  ApprovalRequest,
  Approvals,
  CallLimits,
  KillSwitch,
  Passage,
  RuleBook,
} from './ports/governance.ts';
export type { MaskBook, Maskers } from './ports/masks.ts';
export type { Recorder } from './ports/recorder.ts';
export type {
  EraMemory,
  HttpTransport,
  LineTransport,
  ProfileListener,
  ProfileServer,
  ProfileView,
  ToolService,
  UpstreamEra,
  UpstreamExit,
  UpstreamHttpAnswer,
  UpstreamHttpRequest,
  UpstreamTransport,
  Upstreams,
} from './ports/upstreams.ts';
