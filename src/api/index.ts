export { createApi } from './app.ts';
export { type ApiClient, createClient, type Transport } from './client.ts';
export type { Decision, Definition, DefinitionReport, PinnedView } from './definition-schemas.ts';
export type { ApiDeps } from './deps.ts';
export { documentBeside } from './document-source.ts';
export type { BeginLogin, LoginBegun, LoginView } from './login-schemas.ts';
export type {
  ApiCompiler,
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
  Prober,
  Probes,
  Profile,
  ProfileEntry,
  ProfileOptions,
  Profiles,
  ProxyDesk,
  ProxySettings,
  Runtime,
  ServerDocument,
  ServerRow,
  ServerRows,
  Trouble,
} from './ports.ts';
export type { LaunchPlan } from './plan-schema.ts';
export type {
  AddedView,
  AddServer,
  CatalogView,
  InjectBody,
  KeyStatus,
  KillView,
  LogLineView,
  NewToken,
  ProbeBody,
  ProbeView,
  ProfileView,
  SecretView,
  ServerView,
  UpgradedView,
  StatusView,
  TokenView,
  VerifyView,
} from './schemas.ts';
export { manifestOf, packageOf } from './server-views.ts';
