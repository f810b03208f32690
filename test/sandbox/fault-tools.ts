/** Programs that take the place of those that build a cell, and fail: the same for this process and for one that is killed. */
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HostFacts } from '../../src/sandbox/host.ts';
import type { ToolName } from '../../src/sandbox/tools.ts';

/** A step of a start, by the program that carries it out. */
export type Step = ToolName | 'node';

/** Writes a program. @returns its path */
export function writeProgram(folder: string, name: string, script: string): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

/** The same machine, but for one program. */
export const withProgram =
  (step: Step, path: string) =>
  (found: HostFacts): HostFacts =>
    step === 'node' ? { ...found, node: path } : { ...found, tools: { ...found.tools, [step]: path } };
