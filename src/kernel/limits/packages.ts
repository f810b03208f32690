/** What servers are installed from, and the cells in which that is done. */
import { KIB, MIB } from './size.ts';

/** How long the installation of one package may take. */
export const packageInstallTimeoutMs = 600_000;
/** The end of an installer's output that an error quotes, in lines. */
export const packageInstallTailLines = 15;
/** Files and folders in one installed package tree. The largest catalog server has about 20,000. */
export const packageEntriesMax = 200_000;
/** An installer's output that is kept to find out why it failed, in lines. */
export const packageInstallLinesMax = 400;
/** Memory of the cell that installs a package, MiB: npm holds the whole tree of a large one, and scripts may compile. */
export const packageInstallMemoryMiB = 2_048;
/** Everything that one installation may write, what it fetched among it, in bytes. */
export const packageInstallBytesMax = 2 * 1024 * MIB;
/** How often the room on the disk is looked at while a package is installed, in milliseconds. */
export const packageRoomIntervalMs = 250;
/** Every so many of these looks, the folder itself is measured. */
export const packageRoomLooksPerMeasure = 40;
/** An installation ends when no more room is left on the disk than this, or a quarter of what there was, in bytes. */
export const packageRoomLeftBytesMin = 1024 * MIB;
/** The same for files and folders that can still be made. */
export const packageRoomLeftEntriesMin = 20_000;
/** Bytes of a path within a package; the system's own bound is 4,096, with the folder's around it. */
export const packagePathBytesMax = 2_048;
/** Bytes of all paths within a package together: they are held and sorted at each start. Of 20,000 files they are 2 MiB. */
export const packagePathsBytesMax = 32 * MIB;
/** What an installer may say at once, and for long, in bytes; it waits when that is used up. */
export const packageInstallOutputBurstBytes = 1 * MIB;
export const packageInstallOutputBytesPerSecond = 128 * KIB;
/** Characters of an installer's output that are one line at most: pip names all versions of a package in one. */
export const packageInstallLineCharsMax = 64 * KIB;
/** Characters of such a line, or of anything else that a package says, that an error quotes. */
export const packageQuotedCharsMax = 500;
/** Connections that an install cell may have to the gateway where that plays its registry; npm opens 15. */
export const packageAnswerConnectionsMax = 32;
/** How long nothing may be sent on one of them, in milliseconds. */
export const packageAnswerIdleMs = 60_000;
/** Hosts that an installation wanted to reach and could not, of which an error may speak. */
export const packageUnreachedMax = 20;
/** Archives that one installation may be given, and bytes of each, packed and unpacked. */
export const packageArchivesMax = 2_000;
export const packageArchiveBytesMax = 512 * MIB;
/** Bytes of one `package.json`. */
export const packageManifestBytesMax = 4 * MIB;
/** Files larger than this are hashed in pieces, in bytes. */
export const packageHashedWholeBytesMax = 4 * MIB;
/** Bytes of a lockfile: a large package has 2,000 parts with some 500 bytes for each. */
export const packageLockfileBytesMax = 16 * MIB;
/** Bytes of pip's report of what it installed, which has every package's whole description in it. */
export const packageReportBytesMax = 64 * MIB;
/** How long a package is kept that no server names any more, since it was last used, in milliseconds. */
export const packageUnusedKeptMs = 60 * 60 * 1_000;
/** How often packages are looked for that no server names any more, in milliseconds. */
export const packageCollectIntervalMs = 60 * 60 * 1_000;
