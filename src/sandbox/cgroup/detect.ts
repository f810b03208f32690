/**
 * Whether this process has a part of the control group hierarchy to itself, to be divided among cells. Pure over a reader.
 *
 * Only a group that somebody gave away counts: one that can be written to is not enough, since the service manager may
 * rearrange what is its own at any time, and root can write to everything.
 */
import type { GroupController, GroupFacts } from './ports.ts';

export interface GroupReader {
  readonly platform: string;
  /** Text of a file; null where it cannot be read. */
  read(path: string): string | null;
  /** Whether this process may write to a file, or make files in a folder. */
  writable(path: string): boolean;
  /** Whether a unit of systemd has `Delegate=`; null where that cannot be asked. */
  delegates(unit: string, manager: Manager): boolean | null;
}

export type Manager = 'user' | 'system';

/** Where this process is in the hierarchy of version 2. */
export interface OwnGroup {
  /** As `/proc/self/cgroup` has it. */
  readonly path: string;
  /** The folder that shows it. */
  readonly folder: string;
  /** The unit that it is the group of, where it is one's. */
  readonly unit: { readonly name: string; readonly manager: Manager } | null;
}

/** The group of a gateway, and in it that of the gateway's own process. */
export const GATEWAY_GROUP = /^sallyport-(\d+)-(\d+)$/;
export const GATEWAY_LEAF = 'gateway';
const INSIDE_GATEWAY = /\/sallyport-\d+-\d+\/gateway$/;

const controllerNames: readonly GroupController[] = ['cpu', 'memory', 'pids'];

const DELEGATE = 'Delegate=cpu memory pids';

export function detectGroups(reader: GroupReader): GroupFacts {
  if (reader.platform !== 'linux') return { kind: 'none', why: 'not-linux' };
  const own = ownGroup(reader);
  if (own === null) {
    return seesVersion2(reader)
      ? { kind: 'none', why: 'not-delegated', fix: CONTAINER }
      : { kind: 'none', why: 'v1', fix: UNIFIED };
  }
  // A program that a gateway started is in the gateway's own group, whose hierarchy was set up already.
  const root = own.folder.replace(INSIDE_GATEWAY, '');
  const there = words(reader.read(`${root}/cgroup.controllers`) ?? '');
  const controllers = new Set(controllerNames.filter((name) => there.has(name)));
  const refused = notDelegated(reader, own, root);
  if (refused !== null) return refused;
  if (controllers.size > 0) return { kind: 'delegated', root, controllers };
  return onVersion1(reader)
    ? { kind: 'none', why: 'v1', fix: UNIFIED }
    : { kind: 'none', why: 'no-controllers', fix: passOnFix(own) };
}

const UNIFIED =
  'The controllers are those of control groups version 1: boot with systemd.unified_cgroup_hierarchy=1 on the kernel command line.';

const CONTAINER =
  'In a container: give it a control group namespace of its own, and make its /sys/fs/cgroup writable.';

function notDelegated(reader: GroupReader, own: OwnGroup, root: string): GroupFacts | null {
  const files = ['', '/cgroup.procs', '/cgroup.subtree_control'].map((name) => `${root}${name}`);
  const refused: GroupFacts = { kind: 'none', why: 'not-delegated', fix: fixFor(own) };
  // The machine's own first group is the only one without a type.
  if (reader.read(`${root}/cgroup.type`) === null || !files.every((path) => reader.writable(path))) {
    return onVersion1(reader) ? { kind: 'none', why: 'v1', fix: UNIFIED } : refused;
  }
  const { unit } = own;
  return unit === null || reader.delegates(unit.name, unit.manager) === true ? null : refused;
}

/** What to do where the group is nobody's to divide, or has nothing to divide. */
function fixFor({ unit, path }: OwnGroup): string {
  if (unit === null) {
    return CONTAINER;
  }
  if (unit.name.endsWith('.service')) {
    const edit = unit.manager === 'user' ? 'systemctl --user edit' : 'sudo systemctl edit';
    return `${edit} ${unit.name}, and in it:  [Service]  ${DELEGATE}  Then restart the service.`;
  }
  const run = path.startsWith('/user.slice/user-0.slice/') ? 'systemd-run' : 'systemd-run --user';
  return `systemd did not give it a scope of its own; start it so: ${run} --scope -p "${DELEGATE}" -- sallyport serve`;
}

/** What to do where it was given away without any controller. */
function passOnFix(own: OwnGroup): string {
  if (!own.path.includes('/user@')) return fixFor(own);
  return `sudo systemctl edit user@.service, and in it:  [Service]  ${DELEGATE}  Then log out of all sessions and in again.`;
}

/** @returns null where version 2 is not mounted, or shows another part of the hierarchy */
export function ownGroup(reader: Pick<GroupReader, 'read'>): OwnGroup | null {
  const path = /^0::(\/.*)$/m.exec(reader.read('/proc/self/cgroup') ?? '')?.[1];
  if (path === undefined || /(?:^|\/)\.\.(?:\/|$)/.test(path)) return null;
  for (const { root, point, type } of mounts(reader.read('/proc/self/mountinfo') ?? '')) {
    if (type !== 'cgroup2') continue;
    const inside = root === '/' || path === root || path.startsWith(`${root}/`);
    if (!inside) continue;
    const below = root === '/' ? path : path.slice(root.length);
    return { path, folder: below === '/' ? point : `${point}${below}`, unit: unitOf(path) };
  }
  return null;
}

/** The unit whose group this is; none for a group further below, which somebody made who was given the unit's. */
function unitOf(path: string): OwnGroup['unit'] {
  const name = path.slice(path.lastIndexOf('/') + 1);
  if (!/\.(?:service|scope)$/.test(name)) return null;
  return { name, manager: /\/user@\d+\.service\//.test(path) ? 'user' : 'system' };
}

/** Whether version 1 has a controller that would be of use; then version 2 does not have it. */
function onVersion1(reader: GroupReader): boolean {
  return mounts(reader.read('/proc/self/mountinfo') ?? '').some(
    ({ type, options }) => type === 'cgroup' && /(?:^|,)(?:memory|pids|cpu)(?:,|$)/.test(options),
  );
}

const seesVersion2 = (reader: GroupReader): boolean =>
  mounts(reader.read('/proc/self/mountinfo') ?? '').some(({ type }) => type === 'cgroup2');

interface MountLine {
  /** Which part of the file system is shown. */
  readonly root: string;
  readonly point: string;
  readonly type: string;
  readonly options: string;
}

/** proc(5): fields, optional fields up to a `-`, then type, source, options. */
function mounts(mountinfo: string): readonly MountLine[] {
  return mountinfo.split('\n').flatMap((line) => {
    const [before = '', after = ''] = line.split(' - ');
    const [root, point] = before.split(' ').slice(3, 5).map(unescaped);
    const [type, , options] = after.split(' ');
    if (root === undefined || point === undefined || type === undefined || options === undefined) return [];
    return [{ root, point, type, options }];
  });
}

const unescaped = (path: string): string =>
  path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

const words = (text: string): ReadonlySet<string> => new Set(text.split(/\s+/).filter(Boolean));
