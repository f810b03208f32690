/** `sallyport server show SLUG --plan`: what starting the server would do, as text. */
import type { LaunchPlan } from '../../api/index.ts';
import { printable, table } from '../output.ts';

type Cell = LaunchPlan['cell'];

export function planText(plan: LaunchPlan): string {
  const { cell } = plan;
  const facts: [string, string][] = [
    ['server', plan.server],
    ['program', words(plan.program)],
    ['package', plan.package === null ? '-' : `${plan.package.spec}, verified: ${plan.package.integrity}`],
    ['runs as', userText(cell.user)],
    ['reaches', plan.reaches.map(ruleText).join(', ') || 'nothing'],
    ['listeners', `53, ${cell.ports.join(', ')}, at every address; on other ports nobody answers`],
    ['calls', systemCallText(cell.systemCalls)],
  ];
  const width = Math.max(...facts.map(([label]) => label.length));
  return [
    'What starting it would do. Nothing was started, and no secret was opened.',
    facts.map(([label, value]) => `${label.padEnd(width)}  ${printable(value)}`).join('\n'),
    ...(plan.problems.length === 0
      ? []
      : [['It would not start:', ...plan.problems.map(printable)].join('\n  ')]),
    ...(plan.credentials.length === 0
      ? []
      : [table(['SECRET', 'THE CELL GETS'], plan.credentials.map(credentialRow))]),
    table(['VARIABLE', 'VALUE'], Object.entries(cell.environment)),
    table(['PATH', 'WHAT IS THERE'], [...cell.mounts.map(mountRow), ...cell.files.map(fileRow)]),
    table(
      ['LIMIT', 'AT MOST', 'BY'],
      cell.limits.map(({ what, most, by }) => [what, most, by]),
    ),
    commandText('LAUNCHER, with an empty environment', cell.launcher),
    commandText('OPTIONS OF BUBBLEWRAP, through a descriptor', cell.options),
    commandText('IN THE CELL', cell.command),
  ].join('\n\n');
}

const userText = ({ host, cell }: Cell['user']): string =>
  host === 'own'
    ? `a user id that no other cell has, ${cell} (nobody) inside`
    : `the user that runs Sallyport, ${cell} (nobody) inside`;

const ruleText = ({ protocol, host, port, methods, paths }: LaunchPlan['reaches'][number]): string => {
  const only = [...(methods ?? []), ...(paths ?? [])];
  return `${protocol}://${host}:${port}${only.length === 0 ? '' : ` (${only.join(' ')})`}`;
};

const systemCallText = ({ allowed, byArgument, instructions }: Cell['systemCalls']): string =>
  `${allowed} allowed, ${byArgument.length} by their arguments (${byArgument.join(', ')}), all others refused; ${instructions} instructions`;

function credentialRow({ name, tier, variable, set }: LaunchPlan['credentials'][number]): string[] {
  const where = variable === null ? '' : ` in ${variable}`;
  if (!set) return [name, 'nothing: no value is set'];
  if (tier === 'entrusted') return [name, variable === null ? 'nothing' : `THE VALUE${where}`];
  return [name, variable === null ? 'nothing' : `a placeholder${where}`];
}

function mountRow({ kind, path, source, write, target, bytes, mode }: Cell['mounts'][number]): string[] {
  switch (kind) {
    case 'bind':
      return [path, `${source} of this machine, ${write === true ? 'READ AND WRITE' : 'read-only'}`];
    case 'link':
      return [path, `link to ${target}`];
    case 'memory':
      return [path, `memory, ${bytes} bytes, mode ${mode}`];
    case 'proc':
      return [path, "the cell's own processes"];
    case 'devices':
      return [path, 'null, zero, full, random, urandom, tty, pts'];
    case 'mask':
      return [path, 'cannot be opened'];
    case 'seal':
      break;
  }
  return [path, 'read-only from here on'];
}

const fileRow = ({ path, text }: Cell['files'][number]): string[] => [
  path,
  text === null ? 'certificate authority of this cell alone' : `made: ${JSON.stringify(text)}`,
];

function commandText(title: string, command: readonly string[]): string {
  return [title, ...wrapped(command)].join('\n  ');
}

/** Options on lines of their own, each with what belongs to it. */
function wrapped(command: readonly string[]): string[] {
  const lines: string[] = [];
  for (const word of command.map(shown)) {
    const before = lines.at(-1);
    if (before === undefined || word.startsWith('--') || before.length + word.length > 100) lines.push(word);
    else lines[lines.length - 1] = `${before} ${word}`;
  }
  return lines;
}

const words = (command: readonly string[]): string => command.map(shown).join(' ');

/** As one would type it; a script, which only `--json` shows whole, by its length. */
function shown(word: string): string {
  const lines = word.split('\n').length;
  if (lines > 2) return `‹script of ${lines} lines›`;
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${printable(word).replaceAll("'", String.raw`'\''`)}'`;
}
