/** Servers, their credentials and what they log, as the API shows and takes them. */
import { z } from '@hono/zod-openapi';
import { limits } from '../kernel/index.ts';
import { DefinitionReport, PinnedView } from './definition-schemas.ts';
import { ProbeView } from './probe-schemas.ts';
import { Slug } from './schemas.ts';

export const EgressRuleView = z.object({
  host: z.string(),
  port: z.number(),
  protocol: z.enum(['https', 'http', 'tcp']),
  methods: z.array(z.string()).optional(),
  paths: z.array(z.string()).optional(),
});

const ToolRuleView = z.object({
  tools: z.array(z.string()),
  hosts: z.array(z.string()).optional(),
  methods: z.array(z.string()).optional(),
  paths: z.array(z.string()).optional(),
  /** What is not covered is refused, not only reported. */
  enforce: z.boolean(),
});

const InjectRule = z.union([
  z.strictObject({ header: z.string(), format: z.string() }),
  z.strictObject({ basic: z.enum(['user', 'password']) }),
  z.strictObject({ query: z.string() }),
  z.strictObject({ cookie: z.string() }),
  z.strictObject({ path: z.string() }),
  z.strictObject({ json: z.string() }),
  z.strictObject({ form: z.string() }),
  z.strictObject({ multipart: z.string() }),
  z.strictObject({ websocket: z.string() }),
  z.strictObject({ websocket: z.string(), format: z.string() }),
  z.strictObject({
    hmac: z.strictObject({
      header: z.string(),
      format: z.string(),
      over: z.enum(['body']),
      algorithm: z.enum(['sha1', 'sha256', 'sha512']),
      encoding: z.enum(['hex', 'base64']),
    }),
  }),
]);

export const SecretView = z
  .object({
    name: z.string(),
    title: z.string().optional(),
    tier: z.enum(['sealed', 'entrusted']),
    required: z.boolean(),
    /** `during-calls`: refused while no tool call is in flight. */
    use: z.enum(['always', 'during-calls']),
    hosts: z.array(z.string()),
    inject: z.array(InjectRule),
    /** Null: no value is set. */
    version: z.number().nullable(),
    updatedAt: z.number().nullable(),
    updatedBy: z.string().nullable(),
  })
  .openapi('Secret');

export const ServerView = z
  .object({
    slug: z.string(),
    title: z.string(),
    kind: z.enum(['sandboxed', 'remote', 'api']),
    version: z.string(),
    source: z.string(),
    enabled: z.boolean(),
    /** What its tools are made from, where it is an API: the document's name. */
    document: z.string().nullable(),
    command: z.array(z.string()),
    /** Where a remote server, or an API, is; null for one in a cell. */
    address: z.string().nullable(),
    package: z
      .object({
        kind: z.enum(['npm', 'pypi']),
        spec: z.string(),
        integrity: z.string(),
        /** How many packages it is made of. */
        parts: z.number(),
        /** Those whose install scripts were not run. */
        scriptsSkipped: z.array(z.string()),
        /** Those that have install scripts, which the operator allowed to be run. */
        scriptsRun: z.array(z.string()),
      })
      .nullable(),
    egress: z.array(EgressRuleView),
    secrets: z.array(SecretView),
    /** Tools shown unless a profile says otherwise; null: those that declare readOnlyHint. */
    defaultTools: z.array(z.string()).nullable(),
    /** What requests may be sent while certain tools run. */
    toolRules: z.array(ToolRuleView),
    /** What becomes of requests that may change something while only tools run that say that they only read. */
    readOnlyTools: z.enum(['enforce', 'report', 'off']),
    manifestHash: z.string(),
    /** What the last probe found; null when there was none. */
    probe: ProbeView.nullable(),
    /** How much of what it offers is agreed to. */
    pinned: PinnedView,
    cells: z.number(),
    /** `none-unsafe`: it runs without any isolation. */
    isolation: z.enum(['cell', 'none-unsafe']),
    /** How it died by itself, while it does not run; null where no gateway knows of that. */
    trouble: z
      .object({
        /** In a row. */
        deaths: z.number(),
        reason: z.string(),
        at: z.number(),
        /** Milliseconds until it may be started again. */
        waitMs: z.number(),
      })
      .nullable(),
    createdAt: z.number(),
    updatedAt: z.number(),
    /** Why it cannot run as it is stored; null when all is well. The other fields then say what is still known. */
    problem: z.string().nullable(),
  })
  .openapi('Server');

const packageChoices = {
  /** Whether install scripts are run, in the install cell. */
  allowScripts: z.boolean().optional(),
  /** Archives on this machine, or folders of them, to take everything from; absolute paths. */
  from: z.array(z.string().startsWith('/')).max(limits.packageArchivesMax).optional(),
};

export const LogLineView = z
  .object({
    at: z.number(),
    cell: z.string(),
    /** `server`: what it wrote to stderr. `sallyport`: what the gateway says of its cell. */
    from: z.enum(['server', 'sallyport']),
    text: z.string(),
  })
  .openapi('LogLine');

export const AddServer = z
  .strictObject({
    /** Catalog name, `npm:PKG[@V]`, `pypi:PKG[==V]`, `https://…`, or a file's name when `manifest` is given. */
    source: z.string().min(1),
    ...packageChoices,
    name: Slug.optional(),
    /** The manifest's text, YAML or JSON; or an OpenAPI document or a toolspec, for which a manifest is made. */
    manifest: z.string().optional(),
    /** Files beside the manifest that it names, by their names: what the tools of an API are described in. */
    documents: z.record(z.string(), z.string()).optional(),
    /** For a document without a manifest: where the API is. */
    baseUrl: z.string().optional(),
    /** For an OpenAPI document without a manifest: only operations with one of these tags become tools. */
    tags: z.array(z.string()).optional(),
    /** For `npm:` sources without a manifest: program and arguments. */
    command: z.array(z.string()).optional(),
    hosts: z.array(z.string()).optional(),
    env: z.record(z.string(), z.string()).optional(),
    /** For `https://` sources: name of the credential that the server gets. */
    credential: z.string().optional(),
    /** And where it goes; absent: in a header of its name, `X-Mcp-Secret-…`. */
    place: InjectRule.optional(),
  })
  .openapi('AddServer');

export const UpgradeBody = z
  .strictObject({
    /** Exact version; the newest otherwise. */
    to: z.string().min(1).optional(),
    ...packageChoices,
    /** Takes what would be held back: new install scripts, and other bytes of the same version. */
    accept: z.boolean().optional(),
  })
  .openapi('Upgrade');

export const ReinstallBody = z.strictObject({ from: packageChoices.from }).openapi('Reinstall');

/** `NAME@VERSION`, each. */
const PartChangesView = z.object({
  added: z.array(z.string()),
  removed: z.array(z.string()),
  /** The same version with other bytes. */
  altered: z.array(z.string()),
  /** Want to run programs when they are installed, where no version of them did before. */
  newScripts: z.array(z.string()),
});

/** A server that was added, and what whoever added it should know. */
export const AddedView = ServerView.extend({
  notes: z.array(z.string()),
  /** What it offers, and what of that is agreed to by adding it. */
  definitions: DefinitionReport,
}).openapi('Added');

export const UpgradedView = ServerView.extend({
  changes: PartChangesView,
  /** What the new version offers; null where nothing was installed. */
  definitions: DefinitionReport.nullable(),
}).openapi('Upgraded');

export const InjectBody = z
  .strictObject({ rule: InjectRule, hosts: z.array(z.string()).optional(), env: z.string().optional() })
  .openapi('Inject');

export const SetSecret = z.strictObject({ value: z.string().min(1) }).openapi('SetSecret');

export const CatalogView = z
  .object({
    name: z.string(),
    version: z.string(),
    title: z.string(),
    description: z.string(),
    package: z.string().nullable(),
    hosts: z.array(z.string()),
    secrets: z.array(z.string()),
  })
  .openapi('CatalogEntry');

export type SecretView = z.infer<typeof SecretView>;
export type ServerView = z.infer<typeof ServerView>;
export type LogLineView = z.infer<typeof LogLineView>;
export type AddedView = z.infer<typeof AddedView>;
export type AddServer = z.infer<typeof AddServer>;
export type UpgradeBody = z.infer<typeof UpgradeBody>;
export type UpgradedView = z.infer<typeof UpgradedView>;
export type ReinstallBody = z.infer<typeof ReinstallBody>;
export type InjectBody = z.infer<typeof InjectBody>;
export type CatalogView = z.infer<typeof CatalogView>;
