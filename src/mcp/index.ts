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
export type {
  Authenticate,
  CallAudit,
  CallFacts,
  CallOutcome,
  CallRef,
  CallRefusal,
  CellCalls,
  EndedTool,
  EraMemory,
  HttpTransport,
  KillSwitch,
  LineTransport,
  Principal,
  ProfileServer,
  ProfileView,
  Standing,
  ToolService,
  UpstreamEra,
  UpstreamExit,
  UpstreamHttpAnswer,
  UpstreamHttpRequest,
  UpstreamTransport,
  Upstreams,
} from './ports.ts';
