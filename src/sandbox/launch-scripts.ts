/**
 * The shell scripts between the gateway and a cell's program. Constant texts: everything that varies comes in
 * as a positional argument, so nothing is ever quoted into them.
 */

import { limits } from '../kernel/index.ts';

/** What the gateway is told where the set-up ends with an error: a message of Node's channel. */
const SETUP_FAILED = '{"failed":true}';

/**
 * Runs as root of fresh user, network, mount and process namespaces, with an empty environment but Node's IPC variables.
 * Descriptors: 0-2 the program's, 3 IPC, 4 bubblewrap's options, the rest what those options refer to.
 *
 * Arguments: ip, routes, node, setup program's text, ports, env, bwrap, `--`, arguments of bwrap.
 * Routes, set-up and the start of bubblewrap do not depend on each other, so they run side by side. The set-up hears of the
 * routes before it says that it is done; the gateway hears of a set-up that fails, and until it has what the set-up gives,
 * it tells bubblewrap nothing. Bubblewrap expects children that it did not make, and ignores them.
 * The kernel has a number of watchers of files for each user, which cells of a gateway that is not root share: so each has its own,
 * except in containers that show their kernel's settings read-only.
 */
export const cellScript = `set -eu
ip=$1 routes=$2 node=$3 setup=$4 ports=$5 env=$6 bwrap=$7
shift 8
{
  { printf '%s' "$routes" | "$ip" -batch - >&2 && echo routed; } |
    "$node" --eval "$setup" $ports >&2 || echo '${SETUP_FAILED}' >&3
} &
unset NODE_CHANNEL_FD NODE_CHANNEL_SERIALIZATION_MODE
exec 3>&-
{ echo ${limits.cellWatchersMax} >/proc/sys/user/max_inotify_instances; } 2>/dev/null || :
exec "$env" -i "$bwrap" "$@"
`;

/**
 * Runs as root of the host in a mount namespace of its own, only where the cell's user could not reach something
 * that the cell needs (a package store under /root): shows exactly those paths at numbered places.
 *
 * Arguments: mount, mkdir, stage folder, paths, \`--\`, the rest of the launch.
 */
export const stageScript = `set -eu
mount=$1 mkdir=$2 stage=$3
shift 3
"$mount" -t tmpfs -o size=64k,mode=0711,nosuid,nodev sallyport "$stage"
number=0
while [ "$1" != -- ]; do
  if [ -d "$1" ]; then "$mkdir" "$stage/$number"; else : >"$stage/$number"; fi
  "$mount" --bind "$1" "$stage/$number"
  number=$((number + 1))
  shift
done
shift
exec "$@"
`;

/**
 * Runs as root of the cell's outer namespaces, only where bubblewrap cannot give a memory file system a size (before 0.7):
 * makes them at numbered places, for bubblewrap to bind.
 *
 * Arguments: mount, mkdir, place, options of each (`size=…,mode=…`), \`--\`, the rest of the launch.
 */
export const memoryScript = `set -eu
mount=$1 mkdir=$2 place=$3
shift 3
"$mount" -t tmpfs -o size=64k,mode=0755,nosuid,nodev sallyport "$place"
number=0
while [ "$1" != -- ]; do
  "$mkdir" "$place/$number"
  "$mount" -t tmpfs -o "$1,nosuid,nodev" sallyport "$place/$number"
  number=$((number + 1))
  shift
done
shift
exec "$@"
`;

/** What a cell whose granted path was replaced says before it ends with this code; `exit-reason.ts` looks for it. */
export const GRANT_CHANGED = {
  code: 125,
  line: 'sallyport: a granted path was replaced while the cell was built',
};

/**
 * Every line is one \`ip\` command. A local route to everywhere (AnyIP) makes each address in the world one of this
 * namespace's own, so whatever a program connects to, it arrives at a listener here or nowhere.
 */
export function routeCommands(ipv6: boolean): string {
  const lines = [
    'link set lo up',
    'route add local 0.0.0.0/0 dev lo',
    ...(ipv6 ? ['route add local ::/0 dev lo'] : []),
  ];
  return `${lines.join('\n')}\n`;
}
