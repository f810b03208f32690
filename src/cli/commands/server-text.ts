/** How a server is shown, and what became of it when it was added or upgraded. */
import type { AddedView, DefinitionReport, ServerView, UpgradedView } from '../../api/index.ts';
import { type Output, printable, table, when } from '../output.ts';
import { adoptedLines, idOf, waits } from './definition-text.ts';
import { lastProbeText, probeTable } from './probe.ts';

export function stateOf({ problem, enabled, trouble, isolation }: ServerView): string {
  if (problem !== null) return 'BROKEN';
  const state = enabled && trouble !== null ? 'FAILING' : enabled ? 'enabled' : 'disabled';
  return isolation === 'cell' ? state : `${state}, NOT ISOLATED`;
}

/** `3 times in a row, at 2026-01-01 10:00:00: it ended with code 1; not started again for 4 s`. */
function troubleText({ deaths, reason, at, waitMs }: NonNullable<ServerView['trouble']>): string {
  const again =
    waitMs > 0 ? `not started again for ${Math.ceil(waitMs / 1_000)} s` : 'the next call starts it again';
  return `${deaths === 1 ? 'once' : `${deaths} times in a row`}, at ${when(at)}: ${printable(reason)}; ${again}`;
}

export const hostsText = (one: ServerView): string =>
  one.egress.map((rule) => rule.host).join(', ') || 'none';
export const secretsText = (one: ServerView): string => {
  const set = one.secrets.filter((secret) => secret.version !== null).length;
  return `${set} of ${one.secrets.length} set`;
};

export function addedText(out: Output, added: AddedView): string {
  const missing = added.secrets.filter((secret) => secret.required && secret.version === null);
  return [
    `${out.paint('green', '✔')} ${added.slug} (${printable(`${added.title} ${added.version}`)}) is added to the profile default.`,
    `  May reach: ${hostsText(added)}`,
    ...added.notes.map((note) => `  ${printable(note)}`),
    ...scriptLines(added),
    ...adoptedLines(
      added.definitions,
      missing.map(({ name }) => name),
    ),
    ...missing.map((secret) => `  Next: sallyport secret set ${added.slug} ${secret.name}`),
    ...(missing.length === 0
      ? [`  Next: see which of its tools agents are shown: sallyport server tools ${added.slug}`]
      : []),
  ].join('\n');
}

/** How many names one line shows. */
const NAMED_MAX = 12;

export function upgradedText(before: ServerView, after: UpgradedView): string {
  const { slug, changes } = after;
  const line = (what: string, names: readonly string[]): readonly string[] => {
    if (names.length === 0) return [];
    const more = names.length > NAMED_MAX ? `, and ${names.length - NAMED_MAX} more` : '';
    return [`  ${what}: ${names.slice(0, NAMED_MAX).map(printable).join(', ')}${more}`];
  };
  const same = before.package?.integrity === after.package?.integrity;
  return [
    printable(
      same ? `${slug} is at ${after.version} already.` : `${slug}: ${before.version} → ${after.version}`,
    ),
    ...line('Added', changes.added),
    ...line('Removed', changes.removed),
    ...line('Same version, other bytes', changes.altered),
    ...line('New install scripts', changes.newScripts),
    ...(same ? [] : scriptLines(after)),
    ...(after.definitions === null ? [] : upgradedDefinitions(after.definitions)),
  ].join('\n');
}

/** What became of the scripts that a package and its parts want to run when they are installed. */
const scriptLines = ({ package: installed }: ServerView): readonly string[] => [
  ...((installed?.scriptsSkipped.length ?? 0) === 0
    ? []
    : [`  Install scripts not run: ${installed?.scriptsSkipped.map(printable).join(', ')}`]),
  ...((installed?.scriptsRun.length ?? 0) === 0
    ? []
    : [`  Install scripts allowed: ${installed?.scriptsRun.map(printable).join(', ')}`]),
];

/** What of a new version waits for a decision. */
function upgradedDefinitions({ server, problem, definitions }: DefinitionReport): string[] {
  const waiting = definitions.filter(waits);
  return [
    ...(problem === null ? [] : [`  What it offers now is not known: ${printable(problem.message)}`]),
    ...(waiting.length === 0
      ? []
      : [
          `  Withheld until somebody agrees: ${waiting.slice(0, NAMED_MAX).map(idOf).join(', ')}${waiting.length > NAMED_MAX ? `, and ${waiting.length - NAMED_MAX} more` : ''}`,
          `  See what it is: sallyport server consent ${server}`,
        ]),
  ];
}

/** `12 agreed to, 2 wait: sallyport server consent github`. */
function pinnedText({ slug, pinned: { looked, approved, withheld } }: ServerView): string {
  if (!looked) return `nobody has agreed to what it offers: sallyport server consent ${slug}`;
  return `${approved} agreed to${withheld === 0 ? '' : `, ${withheld} wait: sallyport server consent ${slug}`}`;
}

const READ_ONLY: Readonly<Record<ServerView['readOnlyTools'], string>> = {
  enforce: 'writes of tools that only read are refused',
  report: 'writes of tools that only read are reported',
  off: 'writes of tools that only read are let pass',
};

/** `search_*: GET to api.example.com below /search`. */
function toolRuleText({ tools, hosts, methods, paths, enforce }: ServerView['toolRules'][number]): string {
  const to = hosts === undefined ? '' : ` to ${hosts.join(', ')}`;
  const below = paths === undefined ? '' : ` below ${paths.join(', ')}`;
  const told = enforce ? '' : ' (others are reported)';
  return `${tools.join(', ')}: ${methods?.join(', ') ?? 'anything'}${to}${below}${told}`;
}

/** `allowed: a@1.0.0; not run: b@2.0.0`. Which of those that were allowed did run, only they themselves could say. */
function scriptsText({ scriptsRun, scriptsSkipped }: NonNullable<ServerView['package']>): string {
  const parts = [
    ...(scriptsRun.length === 0 ? [] : [`allowed: ${scriptsRun.join(', ')}`]),
    ...(scriptsSkipped.length === 0 ? [] : [`not run: ${scriptsSkipped.join(', ')}`]),
  ];
  return parts.join('; ') || 'it has none';
}

const NOT_ISOLATED =
  'NONE (cells.isolation: none-unsafe): it can read every file of this user, the keys of Sallyport included, and connect anywhere';

export function serverText(one: ServerView): string {
  const lines: [string, string][] = [
    ['name', one.slug],
    ['title', one.title],
    ['version', one.version],
    ['state', stateOf(one)],
    ...(one.problem === null ? [] : [['problem', one.problem] satisfies [string, string]]),
    ...(one.trouble === null ? [] : [['stopped', troubleText(one.trouble)] satisfies [string, string]]),
    ...(one.isolation === 'cell' ? [] : [['isolation', NOT_ISOLATED] satisfies [string, string]]),
    ['source', one.source],
    ['package', one.package === null ? '-' : `${one.package.spec} (${one.package.integrity.slice(0, 23)}…)`],
    ...(one.package === null ? [] : [['scripts', scriptsText(one.package)] satisfies [string, string]]),
    one.address === null ? ['command', one.command.join(' ')] : ['address', one.address],
    ...(one.document === null ? [] : [['document', one.document] satisfies [string, string]]),
    [
      'reaches',
      one.egress.map((rule) => `${rule.protocol}://${rule.host}:${rule.port}`).join(', ') || 'nothing',
    ],
    ['tools', one.defaultTools === null ? 'those that declare readOnlyHint' : one.defaultTools.join(', ')],
    ['pinned', pinnedText(one)],
    ['rules', one.toolRules.map(toolRuleText).join('; ') || 'none'],
    ['readonly', READ_ONLY[one.readOnlyTools]],
    ['cells', String(one.cells)],
    ['probed', lastProbeText(one)],
    ['manifest', one.manifestHash],
    ['changed', when(one.updatedAt)],
  ];
  const secrets = one.secrets.map((secret) => [
    secret.name,
    secret.tier,
    secret.version === null ? (secret.required ? 'MISSING' : 'not set') : `version ${secret.version}`,
    secret.hosts.join(', '),
    secret.use === 'always' ? 'any time' : 'during calls',
  ]);
  const width = Math.max(...lines.map(([label]) => label.length));
  // Whatever a manifest, a package or a server has brought in.
  const head = lines.map(([label, value]) => `${label.padEnd(width)}  ${printable(value)}`).join('\n');
  return [
    head,
    ...(secrets.length === 0 ? [] : [table(['SECRET', 'TIER', 'VALUE', 'GOES TO', 'USED'], secrets)]),
    ...(one.probe === null || one.probe.probes.length === 0 ? [] : [probeTable(one.probe)]),
  ].join('\n\n');
}
