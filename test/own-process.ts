/** Programs of tests that run in a process of their own, to be killed, starved or run as somebody else. */
import { join } from 'node:path';

/** See there. */
const takeBuilt = join(import.meta.dirname, 'take-built.mjs');

/** What Node is given to run such a program, before its own arguments. @param path of a `.ts` file of the tests */
export const ownProgram = (path: string): readonly string[] => ['--import', takeBuilt, path];

/** Arguments: folder, checkout, node, then the command. */
const SHOW = `set -eu
mkdir -p "$1/checkout"
: >>"$1/node"
mount --bind "$2" "$1/checkout"
mount --bind "$3" "$1/node"
shift 3
exec "$@"
`;

/**
 * How root has another user run a program of this checkout, which may lie where only root can reach it: in a mount
 * namespace of its own that shows the checkout, and Node, in a folder.
 * @param folder that the user can reach
 */
export const shownIn = (
  folder: string,
): { readonly before: readonly string[]; readonly node: string; readonly checkout: string } => ({
  before: [
    '/usr/bin/unshare',
    '--mount',
    '--propagation=private',
    '/bin/sh',
    '-c',
    SHOW,
    'sh',
    folder,
    join(import.meta.dirname, '..'),
    process.execPath,
  ],
  node: join(folder, 'node'),
  checkout: join(folder, 'checkout'),
});
