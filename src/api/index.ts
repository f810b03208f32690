export type { ApprovalDetail, ApprovalView } from './approval-schemas.ts';
export { createApi } from './app.ts';
export { AlertView, type VerifyView } from './audit-schemas.ts';
export { type ApiClient, createClient, type Transport } from './client.ts';
export type { Decision, Definition, DefinitionReport, PinnedView } from './definition-schemas.ts';
export type { ApiDeps } from './deps.ts';
export { documentBeside } from './document-source.ts';
export type { BeginLogin, LoginBegun, LoginView } from './login-schemas.ts';
export type {
  ApiCompiler,
  ApprovalDesk,
  CellView,
  DefinitionDesk,
  DocumentSource,
  GatewayFacts,
  Kill,
  KillScope,
  Kills,
  LoginDesk,
  LogLine,
  PackageOptions,
  PackagePart,
  PackageRecord,
  Packages,
  PolicyDesk,
  Prober,
  Probes,
  Profile,
  ProfileEntry,
  ProfileOptions,
  Profiles,
  ProxyDesk,
  ReceiverDesk,
  RecordingDesk,
  ProxySettings,
  Runtime,
  ServerDocument,
  ServerRow,
  ServerRows,
  UsageAsked,
  UsageDesk,
  Trouble,
} from './ports.ts';
export type {
  PolicyAsked,
  PolicyCheck,
  PolicyExplanation,
  PolicySource,
  TemplateView,
} from './policy-schemas.ts';
export { templateViews } from './policy-templates.ts';
export type { RecordingLine, RecordingView, RejudgeReport } from './recording-schemas.ts';
export type { UsageView } from './usage-schemas.ts';
export type { LaunchPlan } from './plan-schema.ts';
export type { NewToken, ProfileView, TokenView } from './access-schemas.ts';
export type { KeyStatus, KillView, StatusView } from './operation-schemas.ts';
export type { ProbeBody, ProbeView } from './probe-schemas.ts';
export type {
  AddedView,
  AddServer,
  CatalogView,
  InjectBody,
  LogLineView,
  SecretView,
  ServerView,
  UpgradedView,
} from './server-schemas.ts';
export { manifestOf, packageOf } from './server-views.ts';
