/** What a command needs from the process that it runs in. `main/` supplies it, tests supply their own. */
import type { Readable, Writable } from 'node:stream';
import type { ApiClient, TemplateView } from '../api/index.ts';

export interface Connection {
  readonly client: ApiClient;
  /** Whether a gateway is running, or the store was opened by this process. */
  readonly running: boolean;
  close(): Promise<void>;
}

/** Where a browser comes back to from a login: a port of this machine, and of this command. */
export interface CallbackDoor {
  readonly redirectUri: string;
  /** What comes, in its order. */
  readonly arrivals: AsyncIterable<CallbackArrival>;
  close(): Promise<void>;
}

export interface CallbackArrival {
  /** As it came. */
  readonly query: string;
  /** What the person reads in the browser. */
  answer(good: boolean, text: string): void;
}

/** One thing that `doctor` looked at. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly found: string;
  /** The exact thing to do; absent when all is well. */
  readonly fix?: string;
}

/** Something that the demo says of the product, and checks. */
export interface Claim {
  readonly text: string;
  readonly held: boolean;
  /** What it saw. */
  readonly found?: string;
}

export interface LintReport {
  readonly file: string;
  readonly ok: boolean;
  readonly errors: readonly object[];
  readonly warnings: readonly object[];
  readonly hash: string | null;
  /** The same for a person, a line each. */
  readonly lines: readonly string[];
}

export interface ServeOptions {
  /** In place of the configured address. */
  readonly listen: string | undefined;
  readonly onListening: (url: string) => void;
}

export interface RunOptions {
  readonly profile: string;
  readonly hosts: readonly string[];
  /** The current folder cannot be written. */
  readonly readOnly: boolean;
  readonly mounts: readonly string[];
  /** The command may write what programs outside of its cell run. */
  readonly allowHooks: boolean;
  /** The program, then its arguments. */
  readonly command: readonly string[];
  /** Told what the user should know. */
  readonly note: (text: string) => void;
}

export interface CliHost {
  readonly version: string;
  /** The folder of state, for messages. */
  readonly home: string;
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  readonly stderr: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  /**
   * Calls back at the first ctrl-C; a second one ends the process as if nobody listened.
   * @returns stops listening
   */
  onInterrupt(listener: () => void): () => void;
  /** The running gateway over its local socket, or the store opened here. @throws AppError `home_missing` before `init` */
  connect(): Promise<Connection>;
  /** @param port 0: any that is free. @throws AppError `listen_failed` */
  openCallback(port: number): Promise<CallbackDoor>;
  /** Shows an address to the person at this machine, where there is a way to. */
  openBrowser(url: string): Promise<void>;
  /** Makes the home, the master key, the database. Idempotent. @returns what was made, in words */
  init(): Promise<readonly string[]>;
  /** Runs the gateway until it is told to stop. @throws AppError `gateway_running`, `listen_failed` */
  serve(options: ServeOptions): Promise<void>;
  /** Serves one MCP client on stdin and stdout. */
  stdio(options: { profile: string; server?: string }): Promise<void>;
  /**
   * Runs a command in a cell, with this process's streams.
   *
   * @returns its exit code, 128 and the number of the signal that ended it
   * @throws AppError when it was not started, or was ended from here
   */
  run(options: RunOptions): Promise<number>;
  /** Tells its story on stdout, unless `quiet`. @returns every claim and whether it held */
  demo(quiet: boolean): Promise<readonly Claim[]>;
  doctor(): Promise<readonly Check[]>;
  lint(files: readonly string[]): Promise<readonly LintReport[]>;
  /** The ready rules of this version. */
  templates(): Promise<readonly TemplateView[]>;
  /** @throws AppError `file_unreadable` */
  readFile(path: string): Promise<string>;
  /** An error that nobody foresaw, for the log. */
  reportUnexpected(error: unknown): Promise<void>;
}
