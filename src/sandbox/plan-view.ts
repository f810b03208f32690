/**
 * A plan as it is shown to a person: everything that a launch would do, and nothing done. Pure.
 *
 * It is made from the very plan that a launch executes, so it cannot say anything else. It must never show the value of
 * a credential; the planner is given stand-ins instead.
 */
import type { MadeFile } from './cell-files.ts';
import { cellPaths, cellUserId } from './cell-layout.ts';
import type { AppliedLimits } from './cell-limits.ts';
import type { GroupController } from './cgroup/ports.ts';
import type { Mount } from './mounts.ts';
import type { CellPlan } from './plan.ts';
import type { ShellPlan } from './plan-shell.ts';
import { compileFilter, type Architecture, table } from './seccomp/filter.ts';
import { conditional } from './seccomp/allowlist.ts';

export interface PlanView {
  /** Under which user the program runs. */
  readonly user: {
    /** On this machine: the gateway's own, or one that this cell alone has. */
    readonly host: 'gateway' | 'own';
    readonly cell: number;
  };
  /** TCP ports with a listener of the gateway's, at every address; 53, over TCP and UDP, besides. */
  readonly ports: readonly number[];
  readonly environment: Readonly<Record<string, string>>;
  /** In the order in which they are made; later ones lie over earlier ones. */
  readonly mounts: readonly Mount[];
  /** Files that are made for the cell; null: of certificates, which are made at the launch. */
  readonly files: readonly { readonly path: string; readonly text: string | null }[];
  readonly limits: readonly LimitView[];
  readonly systemCalls: {
    /** Number of calls that are allowed whatever their arguments are. */
    readonly allowed: number;
    /** Calls that are allowed or refused by their arguments. */
    readonly byArgument: readonly string[];
    /** Instructions of the filter. */
    readonly instructions: number;
  };
  /** The launcher's command line, started with an empty environment. */
  readonly launcher: readonly string[];
  /** Bubblewrap's options, as they go through a descriptor. */
  readonly options: readonly string[];
  /** What is executed in the finished cell. */
  readonly command: readonly string[];
}

interface LimitView {
  readonly what: string;
  readonly most: string;
  /** What enforces it. */
  readonly by: string;
}

export interface PlanViewInput {
  readonly plan: Pick<CellPlan, 'options' | 'command' | 'environment' | 'mounts' | 'files' | 'limits'> &
    Pick<ShellPlan, 'launcher'>;
  readonly architecture: Architecture;
  readonly ports: readonly number[];
  readonly ownUser: boolean;
}

export function viewPlan({ plan, architecture, ports, ownUser }: PlanViewInput): PlanView {
  const entries = table(architecture);
  return {
    user: { host: ownUser ? 'own' : 'gateway', cell: cellUserId },
    ports: ports.toSorted((one, other) => one - other),
    environment: plan.environment,
    mounts: plan.mounts,
    files: plan.files.map(viewFile),
    limits: viewLimits(plan.limits),
    systemCalls: {
      allowed: entries.filter((entry) => entry === 'allow').length,
      byArgument: Object.keys(conditional).filter((name) => (conditional[name]?.cases.length ?? 0) > 0),
      instructions: compileFilter(architecture).length,
    },
    launcher: plan.launcher,
    options: plan.options,
    command: plan.command,
  };
}

const certificates: readonly string[] = [cellPaths.caBundle, cellPaths.javaTruststore];

const viewFile = ({ path, content }: MadeFile): PlanView['files'][number] => ({
  path,
  text: certificates.includes(path) ? null : content.toString('utf8'),
});

const mebibytes = (bytes: number): string => `${bytes / 2 ** 20} MiB`;

function viewLimits(applied: AppliedLimits): readonly LimitView[] {
  const { memoryBytes, dataBytes, processes, cpus, openFiles, diskBytes, inGroup } = applied;
  const held = (by: GroupController, otherwise: string): string =>
    inGroup.includes(by) ? `control group, ${by}` : otherwise;
  return [
    {
      what: 'memory of the cell',
      most: mebibytes(memoryBytes),
      by: held('memory', 'a look at its processes every second'),
    },
    ...(dataBytes === null
      ? []
      : [{ what: 'data of one process', most: mebibytes(dataBytes), by: 'RLIMIT_DATA' }]),
    ...(processes === null
      ? []
      : [{ what: 'processes and threads', most: String(processes), by: held('pids', 'RLIMIT_NPROC') }]),
    ...(cpus === null
      ? []
      : [
          {
            what: 'processors',
            most: String(cpus),
            by: held('cpu', 'a look at its processes every second, over a minute'),
          },
        ]),
    { what: 'open files of one process', most: String(openFiles), by: 'RLIMIT_NOFILE' },
    { what: 'one file', most: mebibytes(diskBytes), by: 'RLIMIT_FSIZE' },
    { what: '/tmp and the home, each', most: mebibytes(diskBytes), by: 'size of a memory file system' },
  ];
}
