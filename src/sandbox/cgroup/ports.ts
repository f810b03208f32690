/** Control groups as the sandbox uses them: one for each cell, where the gateway has a part of the hierarchy to itself. */
import type { CellId } from '../../kernel/index.ts';

export type GroupController = 'memory' | 'pids' | 'cpu';

/** What the gateway may do with control groups, and why not more. */
export type GroupFacts =
  | {
      readonly kind: 'delegated';
      /** Folder of the group that the gateway may divide. */
      readonly root: string;
      readonly controllers: ReadonlySet<GroupController>;
    }
  | {
      readonly kind: 'none';
      readonly why: GroupsMissing;
      /** What to do about it, exactly. */
      readonly fix?: string;
      /** Whose systemd can be asked for a group. */
      readonly scope?: 'user' | 'system';
    };

/** `v1`: the controllers are those of version 1. `no-controllers`: version 2 without any that limits a cell. */
export type GroupsMissing = 'not-linux' | 'v1' | 'not-delegated' | 'no-controllers';

export interface GroupLimits {
  readonly memoryBytes: number;
  readonly processes: number | null;
  readonly cpus: number | null;
}

/** What a group has counted since it was made. Zero where there is no controller that counts it. */
export interface GroupUsage {
  /** Processes that were killed because the cell's memory limit was reached. */
  readonly oomKills: number;
  /** Processes and threads that the limit on their number refused. */
  readonly forksRefused: number;
  readonly cpuUs: number;
  readonly memoryPeakBytes: number | null;
}

export interface CellGroup {
  /** Moves a process, and with it whatever it starts from then on. @throws when it is gone */
  admit(pid: number): void;
  /** Null when the group is gone. */
  usage(): GroupUsage | null;
  /** Kills everything in it. */
  kill(): void;
  /** @returns false where something in it is still alive */
  remove(): Promise<boolean>;
}

/** Where groups come from. */
export interface CellGroupsSource {
  /** What there is, as far as it can be told without changing anything. */
  facts(): GroupFacts;
  /** Makes this process able to give groups to cells. Null where it is not to be. */
  open(): Promise<CellGroups | null>;
}

export interface CellGroups {
  readonly controllers: ReadonlySet<GroupController>;
  /** A new group with limits, as far as there are controllers for them. @throws when it cannot be made */
  open(cell: CellId, limits: GroupLimits): CellGroup;
  /** Kills and removes the groups of gateways that are gone. @returns how many cells were in them */
  sweep(): Promise<number>;
}
