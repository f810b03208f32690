/**
 * The MCP front: takes clients over Streamable HTTP and stdio, and routes them to servers in cells. Messages pass
 * through as text; the gateway reads what it must and changes what it has to.
 */
export {
  type CellActivity,
  createFront,
  type Endpoint,
  type Front,
  type FrontConfig,
  type FrontDeps,
  type StdioSession,
} from './front.ts';
export type {
  Authenticate,
  CallAudit,
  CallFacts,
  CallOutcome,
  CallRef,
  CallRefusal,
  KillSwitch,
  Principal,
  ProfileServer,
  ProfileView,
  UpstreamExit,
  UpstreamTransport,
  Upstreams,
} from './ports.ts';
