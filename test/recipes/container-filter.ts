/** A container's system call profile, as Docker reads it, made into a filter that a test can run programs under. */
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type CallRules, compileFilter, encodeFilter } from '../../src/sandbox/seccomp/filter.ts';
import { z } from 'zod';

const PYTHON = '/usr/bin/python3';
export const canFilter = existsSync(PYTHON);
const root = resolve(import.meta.dirname, '../..');
export const recipes = join(root, 'docs/recipes');

/** The part of the format that ours uses: what else a file says is refused, and not ignored. */
const Profile = z.strictObject({
  defaultAction: z.literal('SCMP_ACT_ERRNO'),
  defaultErrnoRet: z.literal(1),
  architectures: z.tuple([z.literal('SCMP_ARCH_X86_64'), z.literal('SCMP_ARCH_AARCH64')]),
  syscalls: z.array(
    z.strictObject({
      names: z.array(z.string().regex(/^[a-z0-9_]+$/)).min(1),
      action: z.literal('SCMP_ACT_ALLOW'),
      args: z
        .tuple([
          z.strictObject({
            index: z.literal(0),
            value: z.number().int().min(0),
            op: z.literal('SCMP_CMP_EQ'),
          }),
        ])
        .optional(),
    }),
  ),
});
export type Profile = z.infer<typeof Profile>;

export const storedProfile = (): Profile =>
  Profile.parse(JSON.parse(readFileSync(join(recipes, 'docker-seccomp.json'), 'utf8')));

/** What the generator would write now. */
export const generatedProfile = (): Profile =>
  Profile.parse(
    JSON.parse(
      execFileSync(process.execPath, [join(root, 'scripts/docker-seccomp.mjs'), '--print'], {
        encoding: 'utf8',
      }),
    ),
  );

export function rulesOf({ syscalls }: Profile): CallRules {
  const byArgument = syscalls.filter(({ args }) => args !== undefined);
  return {
    allowed: syscalls.flatMap(({ names, args }) => (args === undefined ? names : [])),
    conditional: Object.fromEntries(
      [...new Set(byArgument.flatMap(({ names }) => names))].map((name) => [
        name,
        {
          cases: byArgument
            .filter(({ names }) => names.includes(name))
            .map(({ args }) => ({
              when: (args ?? []).map(({ index, value }) => ({ argument: index, oneOf: [value] })),
              verdict: 'allow' as const,
            })),
          otherwise: 'EPERM' as const,
        },
      ]),
    ),
  };
}

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program under the filter. @param folder for the filter's file */
export function runUnder(
  rules: CallRules,
  folder: string,
  command: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  const file = join(folder, 'filter.bpf');
  writeFileSync(file, encodeFilter(compileFilter(process.arch === 'arm64' ? 'arm64' : 'x64', rules)));
  const args = [join(import.meta.dirname, 'under-filter.py'), file, ...command];
  return new Promise((done) => {
    execFile(PYTHON, args, { env, timeout: 60_000, maxBuffer: 16 * 2 ** 20 }, (error, stdout, stderr) =>
      done({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : null, stdout, stderr }),
    );
  });
}
