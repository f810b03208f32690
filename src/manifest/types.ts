/**
 * The manifest after parsing: what a server may do. Every consumer works on this shape, whatever version
 * of the format it was written in. Absence denies: an empty `egress` reaches nothing.
 */
export interface Manifest {
  readonly schemaVersion: 2;
  /** Catalog name and default slug: `[a-z0-9-]`, at most 63 characters. */
  readonly name: string;
  /** x.y.z of the manifest's subject. */
  readonly version: string;
  readonly title?: string;
  readonly description?: string;
  readonly homepage?: string;
  readonly server: ServerSpec;
  readonly egress: readonly EgressRule[];
  readonly credentials: readonly CredentialSpec[];
  readonly tools?: ToolSelection;
}

export type ServerSpec = SandboxedServerSpec | RemoteServerSpec | ApiServerSpec;

/** A stdio MCP server that runs in a cell. */
export interface SandboxedServerSpec {
  readonly kind: 'sandboxed';
  /** `npm:NAME@X.Y.Z` or `pypi:NAME==X.Y.Z`; absent for a program that is already on the machine. */
  readonly package?: string;
  /** Program (a bin of the package, or an absolute path) and its leading arguments. */
  readonly command: readonly string[];
  readonly args: readonly string[];
  /** Plain settings; never a secret. */
  readonly env: Readonly<Record<string, string>>;
  readonly files: readonly FileGrant[];
  readonly limits: CellLimits;
  /** Seconds without a call after which the cell is reaped. */
  readonly idleSeconds?: number;
  /** One cell serves every profile and every user; absent: each has its own. */
  readonly shared?: true;
  /** What the cell's resolver answers: addresses of ours (default), or the true public ones. */
  readonly addresses: 'synthetic' | 'real';
}

/** A folder or file of the host that the server may see. */
export interface FileGrant {
  /** Absolute path on the host. */
  readonly host: string;
  /** Absolute path in the cell. */
  readonly cell: string;
  readonly write: boolean;
}

export interface CellLimits {
  /** Of the whole cell. */
  readonly memoryMiB?: number;
  readonly processes?: number;
  /** Processors that it may keep busy, in tenths; absent: all. */
  readonly cpus?: number;
  /** Of each process. */
  readonly openFiles?: number;
  /** Size of `/tmp` and of `HOME`, each. */
  readonly diskMiB?: number;
  /** Longest time of one tool call; absent: as long as the server shows progress. */
  readonly callSeconds?: number;
}

export interface RemoteServerSpec {
  readonly kind: 'remote';
  readonly url: string;
}

export interface ApiServerSpec {
  readonly kind: 'api';
  /** What all its paths are below. */
  readonly baseUrl: string;
  /** An OpenAPI document: its https address, or the name of a file beside the manifest. */
  readonly openapi?: string;
  /** A toolspec, likewise. Without either document there is one tool, `request`. */
  readonly toolspec?: string;
  /** Which operations of the OpenAPI document become tools; absent: all. */
  readonly operations?: OperationFilter;
  /** The tool `request` beside those of the document. */
  readonly request?: true;
}

/** Operations that match each of the lists that are there, and nothing of `exclude`. */
export interface OperationFilter {
  readonly tags?: readonly string[];
  readonly methods?: readonly HttpMethod[];
  /** As the document writes them; `*` stands for one segment, `**` at the end for any number. */
  readonly paths?: readonly string[];
  /** Names of operations, or paths. */
  readonly exclude?: readonly string[];
}

export type HttpMethod = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS';

/** One place that the server may connect to. */
export interface EgressRule {
  /** Lower-case DNS name in A-label form, or `*.` and at least two labels. */
  readonly host: string;
  readonly port: number;
  /** `tcp`: passed on unread, so only where no sealed credential goes. */
  readonly protocol: 'https' | 'http' | 'tcp';
  /** Absent: every method. */
  readonly methods?: readonly HttpMethod[];
  /** Path prefixes ending at a segment boundary, `/v1` or `/v1/`; absent: every path. */
  readonly paths?: readonly string[];
}

export interface CredentialSpec {
  /** `[A-Z][A-Z0-9_]*`, unique within the manifest. */
  readonly name: string;
  readonly title?: string;
  readonly description?: string;
  /** `sealed`: the value never enters the cell. `entrusted`: it does. */
  readonly tier: 'sealed' | 'entrusted';
  readonly required: boolean;
  /** Refused while no tool call is in flight; absent: `always`. */
  readonly use?: 'during-calls';
  /** The variable that holds the placeholder (sealed) or the value (entrusted). */
  readonly env?: string;
  /** Shape of the placeholder: literal text and `{alnum:N}`, `{hex:N}`, `{digit:N}`, `{upper:N}`, `{lower:N}`, `{base64url:N}`, `{uuid}`. */
  readonly placeholder: string;
  /** Hosts that may receive the value; each must be reachable by `egress`. */
  readonly hosts: readonly string[];
  readonly ports?: readonly number[];
  readonly methods?: readonly HttpMethod[];
  readonly paths?: readonly string[];
  /** Where the placeholder may stand in a request; anywhere else it is refused. Empty for entrusted ones. */
  readonly inject: readonly InjectRule[];
}

export type InjectRule =
  /** The header's whole value is `format` with the placeholder in `{token}`. */
  | { readonly header: string; readonly format: string }
  /** One half of HTTP Basic authentication. */
  | { readonly basic: 'user' | 'password' }
  | { readonly query: string }
  /** The whole value of one cookie. */
  | { readonly cookie: string }
  /** Path prefix with `{token}` within one segment, e.g. `/bot{token}`; a segment may be `*`. */
  | { readonly path: string }
  /** JSON pointer (RFC 6901) to a string in a JSON request body. */
  | { readonly json: string }
  /** The whole value of one field of a form (application/x-www-form-urlencoded). */
  | { readonly form: string }
  /** The whole value of one field, which is no file, of a multipart/form-data body. */
  | { readonly multipart: string }
  /** `text`: a text message that is `format` with the placeholder in `{token}`. Otherwise a JSON pointer to a string in a text message. */
  | { readonly websocket: string; readonly format?: string }
  /** Signed with the placeholder by the server, and with the value by the gateway. */
  | { readonly hmac: HmacRule };

/** A keyed hash (RFC 2104) in a header. */
export interface HmacRule {
  readonly header: string;
  /** The header's whole value, with the hash in `{signature}`. */
  readonly format: string;
  readonly over: 'body';
  readonly algorithm: 'sha1' | 'sha256' | 'sha512';
  readonly encoding: 'hex' | 'base64';
}

export interface ToolSelection {
  /** Tools shown without further choice; absent: those that declare `readOnlyHint`. */
  readonly default?: readonly string[];
  /** What requests may be sent while certain tools run. */
  readonly egress?: readonly ToolEgressRule[];
  /** What becomes of requests that may change something while only read-only tools run; absent: `report`. */
  readonly readOnly?: 'enforce' | 'off';
}

/** What calls of some tools may send; never more than `egress` of the manifest allows. */
export interface ToolEgressRule {
  /** Names, or beginnings of names with a `*` after them. */
  readonly tools: readonly string[];
  /** Absent: every host of `egress`. */
  readonly hosts?: readonly string[];
  readonly methods?: readonly HttpMethod[];
  readonly paths?: readonly string[];
  /** Refuse what is not covered; otherwise only report it. */
  readonly enforce: boolean;
}
