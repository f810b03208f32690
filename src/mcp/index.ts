/**
 * The MCP front: takes clients over Streamable HTTP and stdio, and routes them to servers in cells. Messages pass
 * through as text; the gateway reads what it must and changes what it has to.
 */
export { createFront } from './front.ts';
export type {
  CellActivity,
  Endpoint,
  Front,
  FrontConfig,
  FrontDeps,
  StdioSession,
} from './front-contract.ts';
export { definitionKey, pinVerdict } from './pinning/verdict.ts';
export { nameSkeleton } from './pinning/look-alike-names.ts';
export { reviewDefinition } from './pinning/review.ts';
export type {
  Authenticate,
  CallAudit,
  CallFacts,
  CallOutcome,
  CallRef,
  CallRefusal,
  CellCalls,
  DefinitionKind,
  Definitions,
  EndedTool,
  EraMemory,
  HttpTransport,
  KillSwitch,
  LineTransport,
  Principal,
  ProfileServer,
  ProfileView,
  SeenDefinition,
  Standing,
  ToolService,
  UpstreamEra,
  UpstreamExit,
  UpstreamHttpAnswer,
  UpstreamHttpRequest,
  UpstreamTransport,
  Upstreams,
} from './ports.ts';
