/** How a call of a tool becomes a request: made once from a document, used for each call. */

/** Where requests go, and what all their paths begin with. */
export interface Base {
  readonly scheme: 'https' | 'http';
  /** In its canonical form. */
  readonly host: string;
  readonly port: number;
  /** Normalised, without a slash at its end: '' for the root. */
  readonly path: string;
}

export type ParamPlace = 'path' | 'query' | 'header' | 'cookie';

/** How a value that is no single text is written (OpenAPI 3.1 section 4.8.12.6); `json`: as its JSON text. */
export type Style = 'simple' | 'label' | 'form' | 'spaceDelimited' | 'pipeDelimited' | 'deepObject' | 'json';

/** Segments of a value in a path: as they are, `*` for any one, and `**` at the end for any number. */
export type Spans = readonly string[];

export interface ParamPlan {
  /** What the tool calls it. */
  readonly argument: string;
  /** What the API calls it. */
  readonly name: string;
  readonly in: ParamPlace;
  readonly style: Style;
  readonly explode: boolean;
  /** Leave characters that are reserved in addresses, and part no parameters there, as they are. */
  readonly reserved: boolean;
  /** Of a path: the segments that its value has; null: one. */
  readonly spans: Spans | null;
  readonly required: boolean;
}

export interface BodyField {
  readonly argument: string;
  readonly name: string;
  readonly required: boolean;
  readonly style: Style;
  readonly explode: boolean;
  /** Multipart only: the value is base64 of a file's bytes. */
  readonly file: boolean;
  /** Multipart only: of this part; null where it says none. */
  readonly contentType: string | null;
}

export interface BodyPlan {
  readonly encoding: 'json' | 'form' | 'multipart' | 'text' | 'binary';
  readonly contentType: string;
  readonly required: boolean;
  /** The body's own members as arguments, or the one argument that is the whole body. */
  readonly content: { readonly fields: readonly BodyField[] } | { readonly argument: string };
}

export interface OperationPlan {
  readonly kind: 'operation';
  readonly base: Base;
  readonly method: string;
  /** Below the base, with `{name}` for the parameters in it. */
  readonly path: string;
  readonly params: readonly ParamPlan[];
  readonly body: BodyPlan | null;
}

/** Any request below the base: what may be sent is for the rules of the way out to say. */
export interface FreePlan {
  readonly kind: 'request';
  readonly base: Base;
  readonly taken: Taken;
}

export type RequestPlan = OperationPlan | FreePlan;

/** Names that belong to the credentials of the server: no argument may write there. */
export interface Taken {
  /** As `fieldKey` has them. */
  readonly headers: ReadonlySet<string>;
  readonly query: ReadonlySet<string>;
  readonly cookies: ReadonlySet<string>;
  /** Of a body: first members of JSON pointers, fields of forms. */
  readonly body: ReadonlySet<string>;
}

/** The request as it leaves, before any placeholder is in it. */
export interface ApiRequest {
  readonly method: string;
  readonly scheme: 'https' | 'http';
  readonly host: string;
  readonly port: number;
  /** Origin-form. */
  readonly target: string;
  readonly fields: readonly (readonly [string, string])[];
  readonly body: Buffer | null;
}

export interface ApiTool {
  readonly name: string;
  /** Raw JSON, as an MCP server would list it. */
  readonly definition: string;
  readonly plan: RequestPlan;
}

export interface CompiledApi {
  readonly tools: readonly ApiTool[];
  /** Operations that no tool could be made of, and why: `POST /upload: …`. */
  readonly leftOut: readonly string[];
}
