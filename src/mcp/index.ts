export type {
  CellActivity,
  CreateFront,
  Endpoint,
  Front,
  FrontConfig,
  FrontDeps,
  StdioSession,
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
