/**
 * What a cell will be, decided before anything is done: bubblewrap's options, mounts, environment, system call filter,
 * limits, and the program. All of it goes to a waiting bubblewrap through descriptors; how that came to wait is
 * `plan-shell.ts`. Pure; `launch.ts` executes it.
 */
import { cellEnvironment } from './cell-environment.ts';
import { madeFiles, type MadeFile } from './cell-files.ts';
import { cellPaths, cellUserId } from './cell-layout.ts';
import { type AppliedLimits, appliedLimits, limitOptions } from './cell-limits.ts';
import type { CellSpec } from './cell-spec.ts';
import type { GroupController } from './cgroup/ports.ts';
import type { CheckedGrant } from './file-grants.ts';
import type { HostFacts } from './host.ts';
import { cellMounts, type MemoryMount, type Mount, mountOptions } from './mounts.ts';
import { descriptors, madeMemory, reachStaged, strayDescriptors } from './plan-shell.ts';
import { compileFilter, encodeFilter, type Instruction } from './seccomp/filter.ts';
import { startScript } from './start-script.ts';

export interface PlanInput {
  readonly spec: CellSpec;
  readonly facts: HostFacts;
  /** The package's folder, links resolved. */
  readonly packageDir: string | null;
  readonly files: readonly CheckedGrant[];
  /** Absent: none. */
  readonly pins?: readonly CheckedGrant[];
  /** Host paths that are shown to the launcher, since the cell's user cannot reach them by itself. */
  readonly staged: readonly string[];
  /** What a control group of the cell's own will hold; absent: there is none. */
  readonly groups?: ReadonlySet<GroupController>;
}

export interface CellPlan {
  /** What is executed in the cell in the end: limits, then the program. */
  readonly command: readonly string[];
  /** The script that does it, after a look at what was mounted. */
  readonly start: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly mounts: readonly Mount[];
  readonly files: readonly MadeFile[];
  readonly limits: AppliedLimits;
  readonly filter: readonly Instruction[];
  /** Bubblewrap's options, as they go through descriptor 4. */
  readonly options: readonly string[];
  /** What each descriptor delivers: the options first, and last the script without which nothing is executed. */
  readonly inputs: readonly { readonly descriptor: number; readonly content: Buffer }[];
}

export function planCell(input: PlanInput): CellPlan {
  const { spec, facts, files: granted, pins = [] } = input;
  const grants = [...granted, ...pins];
  const applied = appliedLimits(spec.limits, facts.processesCountedPerCell, input.groups);
  const mounts = mountsOf(input);
  const environment = cellEnvironment(spec.env);
  const limited = [facts.tools.prlimit, ...limitOptions(applied, facts.hardLimits), '--'];
  const command = [...limited, ...spec.command, ...spec.args];
  const start = startScript({ stat: facts.tools.stat, grants, command });
  const files = madeFiles(spec.caPem, start);
  const filter = compileFilter(facts.architecture);
  const options = bubblewrapOptions(spec, facts, { mounts: madeAhead(facts, mounts), files, environment });
  return {
    command,
    start,
    environment,
    mounts,
    files,
    limits: applied,
    filter,
    options,
    inputs: [
      {
        descriptor: descriptors.options,
        content: Buffer.from(options.map((option) => `${option}\0`).join('')),
      },
      ...strayDescriptors(facts).map((descriptor) => ({ descriptor, content: Buffer.alloc(0) })),
      { descriptor: descriptors.filter, content: encodeFilter(filter) },
      ...files.map(({ content }, index) => ({ descriptor: descriptors.firstFile + index, content })),
    ],
  };
}

/** Memory file systems that this bubblewrap cannot make, because it gives them no size: they are made ahead of it. */
export const memoriesAhead = (input: PlanInput): readonly MemoryMount[] =>
  input.facts.bubblewrap.sizes ? [] : mountsOf(input).filter(isMemory);

const isMemory = (mount: Mount): mount is MemoryMount => mount.kind === 'memory';

function mountsOf({ spec, facts, packageDir, files, pins = [], staged }: PlanInput): readonly Mount[] {
  return cellMounts({
    facts,
    reach: (path) => reachStaged(staged, path),
    packageDir,
    binds: spec.binds ?? [],
    files,
    pins,
    applied: appliedLimits(spec.limits, facts.processesCountedPerCell),
  });
}

/** The same mounts for such a bubblewrap: it binds what was made. */
function madeAhead({ bubblewrap }: HostFacts, mounts: readonly Mount[]): readonly Mount[] {
  if (bubblewrap.sizes) return mounts;
  const memories = mounts.filter(isMemory);
  return mounts.map((mount) =>
    isMemory(mount)
      ? { kind: 'bind', source: madeMemory(memories.indexOf(mount)), path: mount.path, write: true }
      : mount,
  );
}

function bubblewrapOptions(
  { terminal, workDir }: CellSpec,
  facts: HostFacts,
  { mounts, files, environment }: Pick<CellPlan, 'mounts' | 'files' | 'environment'>,
): readonly string[] {
  const sealed = mounts.filter(({ kind }) => kind === 'seal');
  const others = mounts.filter(({ kind }) => kind !== 'seal');
  const identity = ['--unshare-user', '--uid', `${cellUserId}`, '--gid', `${cellUserId}`];
  // A second refusal: the filter refuses each call that could make a user namespace.
  const nested = facts.bubblewrap.limitsUserNamespaces ? ['--disable-userns'] : [];
  const namespaces = ['--unshare-pid', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup-try'];
  const restraints = [
    '--cap-drop',
    'ALL',
    // At a terminal it would take job control away; that terminal is the cell's own.
    ...(terminal === true ? [] : ['--new-session']),
    '--die-with-parent',
    '--seccomp',
    `${descriptors.filter}`,
    '--json-status-fd',
    `${descriptors.report}`,
  ];
  return [
    ...identity,
    ...nested,
    ...namespaces,
    ...restraints,
    ...others.flatMap(mountOptions),
    ...files.flatMap(({ path }, index) => [
      '--perms',
      '0444',
      '--file',
      String(descriptors.firstFile + index),
      path,
    ]),
    ...sealed.flatMap(mountOptions),
    '--hostname',
    'cell',
    '--chdir',
    workDir ?? cellPaths.home,
    '--clearenv',
    ...Object.entries(environment).flatMap(([name, value]) => ['--setenv', name, value]),
  ];
}
