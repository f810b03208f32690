/**
 * Version 1: the format of the Gig'MCP registry. Every field is present after parsing; one that the text left
 * out holds its zero value ('' , false, an empty list), because the hash is defined over that form.
 */
export interface ManifestV1 {
  readonly schemaVersion: number;
  readonly name: string;
  readonly version: string;
  readonly source: SourceV1;
  readonly image: ImageV1;
  readonly tier: string;
  readonly entitlements: { readonly egress: readonly string[] };
  readonly credentials: readonly CredentialV1[];
  readonly tools: readonly ToolV1[];
  readonly displayName: string;
  readonly description: string;
  readonly category: string;
  readonly icon: string;
}

export interface SourceV1 {
  readonly repo: string;
  readonly tag: string;
  /** Directory within the repository; '' for its root. */
  readonly package: string;
}

export interface ImageV1 {
  readonly ref: string;
  /** `sha256:` and 64 hex digits. */
  readonly digest: string;
  /** Absolute path in the image. */
  readonly entrypoint: string;
  /** `go-static` (also ''), `node`, `python` or `toolpack`. */
  readonly builder: string;
}

export interface CredentialV1 {
  readonly id: string;
  readonly type: string;
  readonly provider: string;
  readonly scopes: readonly string[];
  readonly inject: InjectV1;
  readonly vendor: string;
}

/** Header and format where the tier is sealed, env where it is entrusted. */
export interface InjectV1 {
  readonly header: string;
  readonly format: string;
  readonly env: string;
}

export interface ToolV1 {
  readonly name: string;
  readonly default: boolean;
}

/** The companion that maps the tools of a version 1 manifest to HTTP requests. */
export interface ToolSpec {
  readonly schemaVersion: number;
  readonly name: string;
  readonly version: string;
  /** `https://HOST`, nothing more. */
  readonly baseUrl: string;
  /** Where the value of an entrusted credential goes; null for a sealed one, whose manifest says it. */
  readonly auth: { readonly header: string; readonly format: string } | null;
  readonly tools: readonly SpecTool[];
}

export interface SpecTool {
  readonly name: string;
  readonly description: string;
  /** GET, POST, PUT, PATCH or DELETE. */
  readonly method: string;
  /** Absolute; `{name}` stands for the path parameter of that name. */
  readonly path: string;
  /** Another base for this tool, or ''. */
  readonly baseUrl: string;
  /** Of the body: `json` (also '') or `form`. */
  readonly encoding: string;
  readonly params: readonly SpecParam[];
}

export interface SpecParam {
  readonly name: string;
  /** `path`, `query`, `body` or `header`. */
  readonly in: string;
  /** `string`, `integer`, `number`, `boolean`, `object` or `array`. */
  readonly type: string;
  readonly required: boolean;
  readonly description: string;
}
