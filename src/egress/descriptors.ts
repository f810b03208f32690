/**
 * What the process has of descriptors, and who may still have one. When none are left, the kernel's word for it reaches
 * nobody: connections that come are cut without a trace, and a log, a cell or a database that needs a file fails.
 * So connections are refused before that, with a reason and on record; and once most are gone, cells that have
 * more than their even part get no more, so that one cannot take what the others need.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import type { Socket } from 'node:net';
import { type Clock, limits, type Log } from '../kernel/index.ts';

/** What the system says of this process. */
export interface DescriptorSystem {
  /** How many it may have open at a time; Infinity where that is not known. */
  readonly max: number;
  /** How many are open. */
  open(): number;
}

const OWN_LIMITS = '/proc/self/limits';
const OWN_DESCRIPTORS = '/proc/self/fd';
const NONE_LEFT: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE']);

const HINT = 'Raise the limit of open files: LimitNOFILE in the systemd unit, or ulimit -n.';

/** Whether that is why something failed: a code of the system. */
export const isExhaustion = (code: string): boolean => NONE_LEFT.has(code);

/** Linux; elsewhere nothing is known, and nothing refused. */
export function systemDescriptors(): DescriptorSystem {
  return {
    max: softLimit(),
    open() {
      try {
        /* Their number since Linux 6.2; 0 before. */
        return statSync(OWN_DESCRIPTORS).size || readdirSync(OWN_DESCRIPTORS).length;
      } catch {
        return 0;
      }
    },
  };
}

function softLimit(): number {
  try {
    return Number(/^Max open files +(\d+)/m.exec(readFileSync(OWN_LIMITS, 'latin1'))?.[1] ?? Infinity);
  } catch {
    return Infinity;
  }
}

/** What is asked before, and told of, each connection that is made. */
export type DialDescriptors = Pick<Descriptors, 'isUsedUp' | 'isExhausted' | 'count' | 'tell'>;

/** For those who dial a few times and end: a probe's test, a command. */
export const UNCOUNTED: DialDescriptors = { isUsedUp: false, isExhausted: false, count() {}, tell() {} };

export class Descriptors {
  readonly #system: DescriptorSystem;
  readonly #clock: Clock;
  readonly #log: Log;
  /** What connections may take up to: the rest is for files, databases and new cells. */
  readonly #budget: number;
  /** Connections of the data plane. */
  #connections = 0;
  /** Descriptors that are something else, as of the last sweep. */
  #others = 0;
  #cells = 0;
  #toldAt = -Infinity;

  constructor(system: DescriptorSystem, clock: Clock, log: Log) {
    this.#system = system;
    this.#clock = clock;
    this.#log = log;
    this.#budget = Math.floor(system.max * (1 - limits.descriptorsSparedShare));
    this.#others = system.open();
  }

  /** Whether no connection may be added at all. */
  get isUsedUp(): boolean {
    return this.#used >= this.#budget;
  }

  /** Whether there is none left at all, for anything. */
  get isExhausted(): boolean {
    return this.#system.open() >= this.#system.max;
  }

  /** Whether what is kept only because it may be of use should be given up. */
  get isScarce(): boolean {
    return this.#used >= this.#budget * limits.descriptorsFreeShare;
  }

  /** A cell is there, until the result is called. */
  join(): () => void {
    this.#cells += 1;
    return () => {
      this.#cells -= 1;
    };
  }

  /** Whether a cell may have one more connection. @param had those that it has */
  mayAdd(had: number): boolean {
    if (!this.isScarce) return true;
    const even = Math.max(limits.cellDescriptorsMin, this.#budget / Math.max(1, this.#cells));
    return !this.isUsedUp && had < even;
  }

  /** Counts a connection until it has ended. */
  count(socket: Socket): void {
    this.#connections += 1;
    socket.once('close', () => {
      this.#connections -= 1;
    });
  }

  /** Now and then: looks at how many there really are. */
  sweep(): void {
    const open = this.#system.open();
    this.#others = Math.max(0, open - this.#connections);
    if (this.isExhausted) this.tell();
  }

  /** Says in the log, now and then, that there are none left. */
  tell(): void {
    const now = this.#clock.monotonic();
    if (now - this.#toldAt < limits.descriptorsToldIntervalMs) return;
    this.#toldAt = now;
    const open = this.#system.open();
    const { max } = this.#system;
    const connections = this.#connections;
    this.#log.error('egress.descriptors_exhausted', { open, connections, max, hint: HINT });
  }

  get #used(): number {
    return this.#connections + this.#others;
  }
}
