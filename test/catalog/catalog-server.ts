/**
 * What a row of the catalog table says: how one real MCP server is exercised against a stand-in for its API,
 * and where the key must arrive there.
 */
import type { Json, JsonObject } from '../../src/kernel/index.ts';

export interface CatalogServer {
  /** Name of the manifest. */
  readonly name: string;
  /** Path of the manifest in the repository; absent: that of the catalog's entry of this name. */
  readonly manifest?: string;
  /** The credential that is under test. */
  readonly credential: string;
  /** Shape of the key that the test makes up, as `inventKey` reads it: that of the real ones. */
  readonly keyShape: string;
  /** What the variable must hold in the cell: the shape that the package or its users' habits demand. */
  readonly placeholder: RegExp;
  /** Plain settings in addition to the manifest's. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly call: { readonly tool: string; readonly arguments: JsonObject };
  readonly routes: readonly StandInRoute[];
  /** Requests that the call must cause, each with the key in each of these places and nowhere else. */
  readonly arrivals: readonly Arrival[];
  /** Text of the stand-in's answer that the tool's result must show. */
  readonly resultShows: string;
}

/** An answer of the stand-in. The first route that matches is taken. */
export interface StandInRoute {
  readonly host: string;
  readonly method: string;
  /** Path without query; a final `*` stands for any rest. */
  readonly path: string;
  /** Unless told 200, or 202 where there is no body. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON, `{reflected}` replaced by the credentials of the request; null sends no body. */
  readonly answer: Json | ((request: SeenRequest) => Json);
}

/** A request as the stand-in got it. */
export interface SeenRequest {
  readonly host: string;
  readonly method: string;
  /** Path and query, as sent. */
  readonly target: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** False where no route was found and 404 was answered. */
  readonly known: boolean;
}

export interface Arrival {
  readonly host: string;
  readonly method: string;
  /** Path without query; a final `*` stands for any rest. */
  readonly path: string;
  readonly places: readonly KeyPlace[];
}

export type KeyPlace =
  /** The header's whole value is `form` with the key in `{key}`. */
  | { readonly header: string; readonly form: string }
  /** One half of HTTP Basic authentication; `other` is the other half. */
  | { readonly basic: 'user' | 'password'; readonly other: string }
  | { readonly query: string }
  /** JSON pointer into the body. */
  | { readonly json: string };
