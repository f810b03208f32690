/** Which file a command means, where only a part of this machine is to be seen. Pure over `look`. */
import { posix } from 'node:path';
import { AppError } from '../../kernel/index.ts';

export interface ProgramInput {
  /** As it was typed. */
  readonly program: string;
  /** The folder that it was typed in. */
  readonly folder: string;
  /** Folders of this machine that the cell sees at their own places. */
  readonly shown: readonly string[];
  /** Folders that the cell looks for programs in. */
  readonly cellPath: readonly string[];
  /** `PATH` of this process. */
  readonly path: string;
  /** @returns the real path of an executable file; null when there is none */
  readonly look: (path: string) => string | null;
}

/** Of the system, in every cell. */
const SYSTEM = ['/usr', '/bin', '/sbin', '/lib', '/lib64'];
/** In every cell too, and nowhere on the host. */
const OWN = ['node'];

/**
 * @returns the name or path to execute in the cell
 * @throws AppError `run_program_unknown`, `run_program_hidden` with the option that shows it
 */
export function findProgram({ program, folder, shown, cellPath, path, look }: ProgramInput): string {
  const visible = [...SYSTEM, ...shown];
  if (program.includes('/')) {
    const asked = posix.resolve(folder, program);
    const real = look(asked);
    if (real === null) throw unknown(program);
    return reachable(program, asked, real, visible);
  }
  if (OWN.includes(program) || cellPath.some((place) => look(`${place}/${program}`) !== null)) return program;
  for (const place of path.split(':')) {
    const asked = posix.resolve(folder, place, program);
    const real = place === '' ? null : look(asked);
    if (real !== null) return reachable(program, asked, real, visible);
  }
  throw unknown(program);
}

function reachable(program: string, asked: string, real: string, visible: readonly string[]): string {
  const hidden = [asked, real].filter((path) => !visible.some((folder) => path.startsWith(`${folder}/`)));
  if (hidden.length === 0) return asked;
  const places = [...new Set(hidden.map(installedIn))];
  const mounts = places
    .filter((place) => !places.some((other) => place.startsWith(`${other}/`)))
    .map((place) => `--mount ${place}`)
    .join(' ');
  throw new AppError(
    'run_program_hidden',
    `\`${program}\` is ${asked}, which the command's cell does not see.`,
    {
      kind: 'not_found',
      hint: `Show it the folder that it is installed in: ${mounts}`,
    },
  );
}

/** Programs of an installation lie in its `bin`, with what they need beside that. */
const installedIn = (path: string): string => posix.dirname(path).replace(/(?<=.)\/bin$/, '');

const unknown = (program: string): AppError =>
  new AppError('run_program_unknown', `There is no program \`${program}\`.`, {
    kind: 'not_found',
    hint: 'Is it installed, and executable? Write the command after --, program first.',
  });
