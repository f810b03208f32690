/** What the sandbox is asked for, and what it gives back. */
import type { Socket as UdpSocket } from 'node:dgram';
import type { Server } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import type { CellId } from '../kernel/index.ts';
import type { CellLimits, FileGrant } from '../manifest/index.ts';
import type { LimitHit } from './limit-hit.ts';

/** One cell to be started. Everything the program inside will see is named here. */
export interface CellSpec {
  readonly id: CellId;
  /** The server's slug, for logs and records. */
  readonly label: string;
  /** Program and leading arguments: an absolute path in the cell, or a name found on the cell's `PATH`. */
  readonly command: readonly string[];
  readonly args: readonly string[];
  /** Settings and placeholders. Values never appear on a command line of the host. */
  readonly env: Readonly<Record<string, string>>;
  /** Ports that get a listener, besides 53. Any other port answers "connection refused". */
  readonly tcpPorts: readonly number[];
  /** The only certificate authority that the cell trusts, PEM. */
  readonly caPem: string;
  /** Folder of the host that is mounted read-only as `/package`. */
  readonly packageDir?: string;
  readonly files: readonly FileGrant[];
  readonly limits: CellLimits;
  /** What the gateway itself shows to the cell; never out of a manifest, since it is not checked as `files` are. */
  readonly binds?: readonly CellBind[];
  /**
   * Places in `files` that may be written, outer ones first: each is mounted once more over itself. They have to exist, without
   * a link on the way.
   */
  readonly pins?: readonly CellPin[];
  /** Where the program starts, in the cell. Default: its home. */
  readonly workDir?: string;
  /**
   * The program gets the terminal that this process has on 0, 1 and 2, behind one of its own: the streams of `Cell` then say
   * nothing. Default: pipes.
   */
  readonly terminal?: boolean;
  /**
   * User id on the host, where the gateway is root: a user's own for a program that works in that user's folder. Never 0.
   * Default: one that nobody else has.
   */
  readonly uid?: number;
}

/** A file or folder of the host, as the cell sees it. Both absolute, links resolved. */
export interface CellBind {
  readonly host: string;
  readonly cell: string;
  readonly write: boolean;
}

/** What is mounted over itself can be neither moved nor removed. The folders that it lies in can, unless they are pins too. */
export interface CellPin {
  /** On the host, in what one of `files` names there. */
  readonly host: string;
  /** False: it, and what is in it, is read-only besides. */
  readonly write: boolean;
}

/** Takes over what listens inside the cell. Called before `launch` resolves, once per listener. */
export interface CellListeners {
  /** `server` pauses each connection until it is resumed; `socket.localAddress` is where the program wanted to go. */
  onTcp(port: number, server: Server): void;
  onDnsUdp(socket: UdpSocket): void;
  onDnsTcp(server: Server): void;
  /** Of `files`, one that holds more than is searched for sockets. It is in the log too. */
  onUnsearched?(folder: string): void;
}

/** A running cell. */
export interface Cell {
  readonly id: CellId;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves, never rejects, when nothing of the cell is left. */
  readonly exited: Promise<CellExit>;
  /** Kills every process of the cell at once. Resolves when none is left. May be called again. */
  kill(): Promise<void>;
  /**
   * Asks the program to end: closes its stdin, after `graceMs` sends SIGTERM, after as long again kills the cell.
   * Resolves when nothing is left. May be called again, which changes nothing.
   */
  stop(graceMs: number): Promise<void>;
  /** Sends a signal to the program, and to nothing else of the cell. @returns false before it runs and after it ended */
  signal(signal: NodeJS.Signals): boolean;
}

export interface CellExit {
  /** Exit code of the program; null when it was killed by a signal or never ran. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** False when the sandbox could not be built or the program could not be executed. */
  readonly started: boolean;
  /** One sentence that may be shown to the user. */
  readonly reason: string;
  /** The limit that ended it; null for any other end. */
  readonly limit: LimitHit | null;
}
