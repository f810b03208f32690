/** The cells that servers run in: what they may take, how they start, wait and end, and their logs. */
import { KIB, MIB } from './size.ts';

/** Memory of a cell's processes together, in MiB, where the manifest says nothing. */
export const cellMemoryDefaultMiB = 4096;
/**
 * What one process may reserve beyond that, in MiB. V8 reserves about 600 MiB for each thread of a Node server, used or
 * not, and a limit of a process counts what is reserved.
 */
export const cellMemoryReservedMiB = 1024;
/** Processes and threads of a cell together, where the manifest says nothing. A Node process has about eleven. */
export const cellProcessesDefault = 256;
/** Open descriptors of one process of a cell, where the manifest says nothing. */
export const cellOpenFilesDefault = 1024;
/** Size of a cell's `/tmp` and of its home, each, in MiB, where the manifest says nothing. */
export const cellDiskDefaultMiB = 256;
/** Size of a cell's `/dev/shm`, in MiB. */
export const cellSharedMemoryMiB = 64;
/** TCP ports that one cell may have listeners for. */
export const cellTcpPortsMax = 64;
/** How long a cell's set-up may take until its listeners are handed over. About 30 ms on an idle machine. */
export const cellSetupTimeoutMs = 20_000;
/**
 * How long the process that starts launchers may say nothing while it owes a word before it is killed, in milliseconds: at the least,
 * and twice that at most, which is before a start that waits for it is given up (`cellSetupTimeoutMs`). As long as the least it may
 * take to end when it is closed.
 */
export const launcherHelperSilentMs = 8_000;
/** Cells that pipes are made for at once: one program makes them, which takes as long as for one cell. */
export const cellPipesAhead = 8;
/** How long a killed cell may take to be gone before that is an error. */
export const cellKillTimeoutMs = 10_000;
/** The end of a cell's stderr that is kept to explain its exit, in bytes. */
export const cellStderrTailBytes = 4 * KIB;
/** Seconds without a call after which a cell is reaped, where nothing else is configured. */
export const cellIdleSeconds = 600;
/** Lines of a server's stderr that are kept for `server logs`. */
export const serverLogLinesMax = 2_000;
/** Longest line of a server's stderr that is kept, in characters. */
export const serverLogLineCharsMax = 4 * KIB;
/** The first pause after a cell died on its own, in milliseconds; doubled with each death in a row. */
export const cellBackoffMs = 500;
/** The longest such pause, in milliseconds. */
export const cellBackoffMsMax = 60_000;
/** The end of a cell's stderr that an error quotes, in lines. */
export const cellStderrTailLines = 20;
/** How often idle cells are looked for, in milliseconds. */
export const cellReapIntervalMs = 5_000;
/** A cell that lived at least this long did not fail at its start: the back-off begins anew. In milliseconds. */
export const cellHealthyMs = 10_000;
/** Files and folders of one granted folder that are searched for sockets before a cell starts. */
export const grantEntriesMax = 20_000;
/** How long a server may take to end once its input is closed, and again after SIGTERM, where nothing else is configured, in seconds. */
export const cellStopSeconds = 2;
export const cellStopSecondsMax = 60;
/** How often it is looked at what the processes of cells take together, in milliseconds. */
export const cellWatchIntervalMs = 1_000;
/** By how much the nice value of cells is above the gateway's: each step is a tenth less of a processor that several want. */
export const cellNiceSteps = 5;
/** Of the gateway's control group beside those of its cells, which have 100 each. */
export const gatewayCpuWeight = 1_000;
/** For how long a cell may keep more processors busy than its manifest says, in milliseconds. */
export const cellCpuWindowMs = 60_000;
/** How long systemd may take to answer, and then to do what it was asked for, in milliseconds. */
export const systemdAnswerMs = 2_000;
/** What of a cell's stderr is kept at once, in bytes, and per second after that; what is more is left out. */
export const serverLogBurstBytes = 64 * KIB;
export const serverLogBytesPerSecond = 16 * KIB;
/** How long a cell that writes more is not read then, in milliseconds. */
export const serverLogPauseMs = 10;
/** How long after something is left out that is told at the latest, in milliseconds. */
export const serverLogLeftOutMs = 1_000;
/** A server's log on disk, in bytes; when it is longer, a new file is begun, and the one before it is kept. */
export const serverLogFileBytesMax = 2 * MIB;
/** How long lines wait to be written together, in milliseconds. */
export const serverLogFlushMs = 100;
/** How often a log that somebody follows is looked at, in milliseconds. */
export const serverLogPollMs = 200;
/** How long the end of a cell waits for the last of its stderr, in milliseconds. */
export const cellStderrDrainMs = 1_000;
/** Prepared cells that are kept ready, all together, where nothing else is configured; 0: none. */
export const preparedCells = 2;
export const preparedCellsMax = 64;
/** As many of a kind are kept ready as were wanted within so long, in milliseconds, */
export const preparedDemandMs = 60_000;
/** and one as long as it was wanted within so long. */
export const preparedKeepMs = 10 * 60_000;
/** A prepared cell that waited so long is made anew: what it was made of (the system's programs) may have been replaced since. */
export const preparedAgeMsMax = 10 * 60_000;
/** How long after a start the next one is prepared, so as not to take the processor from the server that starts. */
export const preparedDelayMs = 150;
/** Between two that are prepared. */
export const preparedPauseMs = 20;
/** How often it is looked whether fewer will do. */
export const preparedLookMs = 30_000;
/** Failures in a row after which none is prepared for a while, */
export const preparedFailuresMax = 3;
/** and for how long, in milliseconds. */
export const preparedRestMs = 60_000;
/** Instances of inotify; a program that watches files has one as a rule. The kernel's usual limit for a user is 128. */
export const cellWatchersMax = 16;
/** Timers and signals that wait to be delivered. */
export const cellSignalsMax = 1_024;
/** Memory that is kept from being swapped out, in bytes. */
export const cellLockedMemoryBytes = 1 * MIB;
/** How long the outputs of a program that has ended wait for somebody to read them, in milliseconds. */
export const cellOutputUnreadMs = 1_000;
