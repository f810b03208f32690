/** Programs of tests that run in a process of their own, to be killed, starved or run as somebody else. */
import { join } from 'node:path';

/** See there. */
const takeBuilt = join(import.meta.dirname, 'take-built.mjs');

/** What Node is given to run such a program, before its own arguments. @param path of a `.ts` file of the tests */
export const ownProgram = (path: string): readonly string[] => ['--import', takeBuilt, path];
