/** What the doctor takes for enough. */
import { MIB } from './size.ts';

/** How long it waits for a name, or for a program of the system, in milliseconds. */
export const doctorWaitMs = 3_000;
/** How many hosts of servers it asks for. */
export const doctorNamesMax = 8;
/** How far behind what was written last the clock may be, in milliseconds. */
export const doctorClockSlackMs = 60_000;
/** Free bytes of the home's disk below which nothing works for long, and below which it is said. */
export const doctorDiskBytesMin = 64 * MIB;
export const doctorDiskBytesScarce = 1_024 * MIB;
/** Files that can still be made there. */
export const doctorDiskFilesMin = 1_000;
/** Descriptors that the process may have: below the first no cell gets far, below the second a few do. */
export const doctorDescriptorsMin = 256;
export const doctorDescriptorsScarce = 4_096;
