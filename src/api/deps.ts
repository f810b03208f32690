/** Everything the routes work with. One object, made by `main/`. */
import type { AuditLog } from '../audit/index.ts';
import type { Tokens } from '../identity/index.ts';
import type { Clock, Log, Random, WorkspaceId } from '../kernel/index.ts';
import type { Catalog } from '../manifest/index.ts';
import type { Caller, Vault } from '../vault/index.ts';
import type {
  ApprovalDesk,
  AlertDesk,
  ApiCompiler,
  DefinitionDesk,
  DocumentSource,
  ExportDesk,
  GatewayFacts,
  Kills,
  LoginDesk,
  Packages,
  PolicyDesk,
  Prober,
  Probes,
  Profiles,
  ProxyDesk,
  ReceiverDesk,
  RecordingDesk,
  Runtime,
  ServerRows,
  UsageDesk,
} from './ports.ts';

export interface ApiDeps {
  readonly workspace: WorkspaceId;
  /** Who is asking: the operator at the local socket. */
  readonly caller: Caller;
  readonly servers: ServerRows;
  readonly apis: ApiCompiler;
  readonly documents: DocumentSource;
  readonly probes: Probes;
  readonly prober: Prober;
  readonly definitions: DefinitionDesk;
  readonly profiles: Profiles;
  readonly proxy: ProxyDesk;
  readonly logins: LoginDesk;
  readonly policies: PolicyDesk;
  readonly approvals: ApprovalDesk;
  readonly recordings: RecordingDesk;
  readonly kills: Kills;
  readonly exports: ExportDesk;
  readonly alerts: AlertDesk;
  readonly receivers: ReceiverDesk;
  readonly usage: UsageDesk;
  readonly packages: Packages;
  readonly runtime: Runtime;
  readonly vault: Vault;
  readonly tokens: Tokens;
  readonly audit: AuditLog;
  /** Read when somebody asks for it first: most processes never do. */
  readonly catalog: () => Promise<Catalog>;
  readonly facts: () => GatewayFacts;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}
