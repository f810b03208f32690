/** A command of `sallyport run`, which is the user's own, and what is looked at besides it. */
import { MIB } from './size.ts';

/** Processes and threads. */
export const runProcessesMax = 4_096;
/** Open files of each of its processes, where this process may have as many. */
export const runOpenFilesMax = 8_192;
/** Size of `/tmp`, of the home and of any one file that it writes, as a share of the machine's memory. */
export const runDiskShare = 0.25;
/** How often it is tried to pass on a signal that came before the command was there, in milliseconds. */
export const runSignalRetryMs = 20;
/** Files and folders of one writable folder that are looked through for repositories, before and after. */
export const runEntriesMax = 100_000;
/** A configuration of git is read up to this size, in bytes. */
export const runGitConfigBytesMax = 1 * MIB;
/** Paths that are named when a command made several. */
export const runMadeNamedMax = 20;
