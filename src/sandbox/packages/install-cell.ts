/**
 * Port: a cell that an installer (npm, pip) runs in. Types only.
 *
 * What runs inside is trusted with nothing: it has one folder to write to, reads only the tools that it is made of, holds
 * no credential, and reaches the registry's hosts, or none at all. `main/` supplies it, from the sandbox and a way out of
 * its own that shares nothing with the one that carries credentials.
 */

import type { Secret } from '../../kernel/index.ts';

/** Where packages come from. */
export interface RegistryHost {
  readonly host: string;
  readonly port: number;
  readonly protocol: 'https' | 'http';
  /** `ADDRESS:PORT` that the gateway dials for it; absent: it resolves the name. */
  readonly dial?: string;
}

/** What a registry wants to see of whoever asks. The cell gets a placeholder; the value is put in on the way. */
export interface RegistryLogin {
  /** Variable of the cell that holds the placeholder. */
  readonly variable: string;
  readonly host: string;
  readonly port: number;
  /** What all paths begin with that it is for; absent: all paths of the host. */
  readonly path?: string;
  /**
   * First word of the `Authorization` header that the installer sends, the value being all of the rest; `Password` where it
   * is only the password of `Basic`.
   */
  readonly scheme: 'Bearer' | 'Basic' | 'Password';
  readonly value: Secret;
}

/** What an installer that may not go out is answered instead, on port 80 of any name. */
export interface LocalAnswer {
  readonly status: number;
  /** Media type. */
  readonly type: string;
  /** Bytes, or a file of the gateway's machine, absolute, that is sent as it is. */
  readonly body: Buffer | { readonly file: string };
}

export type InstallNetwork =
  | {
      readonly kind: 'registry';
      readonly hosts: readonly RegistryHost[];
      readonly logins?: readonly RegistryLogin[];
    }
  /** The gateway answers by itself. Null: not found. */
  | { readonly kind: 'answers'; readonly answer: (path: string) => Promise<LocalAnswer | null> }
  | { readonly kind: 'none' };

/** A file or folder of the host, to be read at another place in the cell. */
export interface InstallTool {
  readonly host: string;
  /** Below `/sallyport/tools`, where nothing else lies; absolute. */
  readonly cell: string;
}

export interface InstallJob {
  /** What is installed, for logs: `npm:NAME@VERSION`. */
  readonly label: string;
  /** Program and arguments, as in a cell of a server: `node` is the gateway's own. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Host folder that is `/package` in the cell, writable, and the working folder. */
  readonly staging: string;
  readonly tools: readonly InstallTool[];
  readonly network: InstallNetwork;
  /** Of everything below `staging`; more ends the cell, and so do more entries or longer paths than a package may have. */
  readonly bytesMax: number;
  /** Memory of the cell, MiB. */
  readonly memoryMiB: number;
  /** Each line of stdout and stderr. */
  readonly onLine: (line: string) => void;
  /** Ends the cell. */
  readonly signal: AbortSignal;
}

/** Somewhere that the installer, or what it ran, wanted to go and could not. */
export interface Unreached {
  readonly host: string;
  /** `denied`: it is none of the job's hosts. Otherwise why it could not be reached, a stable word. */
  readonly why: string;
}

export interface InstallEnd {
  /** Exit code; null when the installer was killed or never ran. */
  readonly code: number | null;
  /** Why it was ended before it was done; null when it ended by itself. */
  readonly stopped: 'timeout' | 'too-large' | 'disk-full' | 'cancelled' | null;
  /** One sentence that may be shown to the user. */
  readonly reason: string;
  /** The last ones, oldest first. */
  readonly unreached: readonly Unreached[];
}

export interface InstallCell {
  /**
   * Resolves when nothing of the cell is left, and, unless it was stopped, `staging` belongs to the gateway again. What was
   * stopped leaves a folder that is only to be removed.
   *
   * @throws AppError `sandbox_*` when no cell can be had
   */
  run(job: InstallJob): Promise<InstallEnd>;
}
