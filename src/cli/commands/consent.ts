/** `sallyport server consent`: shows what a server offers that nobody agreed to, and agrees to it or turns it down. */
import type { Command } from 'commander';
import type { ApiClient, Definition, DefinitionReport } from '../../api/index.ts';
import { AppError } from '../../kernel/index.ts';
import { connected, listOption, repeated, textOption } from '../command.ts';
import type { CliHost } from '../host.ts';
import { printable } from '../output.ts';
import { definitionLines, idOf, isShown, waits } from './definition-text.ts';

export function consentCommand(host: CliHost, server: Command): void {
  connected(
    host,
    server
      .command('consent')
      .description('show what a server offers that nobody agreed to yet, and agree to it, or turn it down')
      .argument('<server>')
      .option('--tool <name>', 'decide about this tool (repeatable)', repeated)
      .option('--prompt <name>', 'decide about this prompt (repeatable)', repeated)
      .option('--instructions', 'decide about the instructions that it gives to agents')
      .option('--all', 'decide about all that waits')
      .option('--seen <fingerprint>', 'only if what waits is still what was shown with this fingerprint')
      .option('--reject', 'turn it down instead of agreeing to it'),
    async ({ client, out, tell }, [slug = ''], options) => {
      const report = await client.lookAtDefinitions(slug, tell);
      const names = {
        tool: listOption(options, 'tool'),
        prompt: listOption(options, 'prompt'),
        instructions: options['instructions'] === true ? [''] : [],
      };
      const isAll = options['all'] === true;
      const named = Object.values(names).some((list) => list.length > 0);
      if (!isAll && !named) {
        if (options['reject'] === true || options['seen'] !== undefined) throw nothingNamed();
        return out.show(report, () => consentText(report));
      }
      const expected = textOption(options, 'seen');
      if (expected !== undefined && expected !== report.fingerprint) throw changedSince(slug);
      const chosen = report.definitions.filter(
        (one) =>
          (waits(one) || (!isAll && one.state === 'rejected')) &&
          (isAll || names[one.kind].includes(one.name)),
      );
      const missing = Object.entries(names).flatMap(([kind, list]) =>
        list
          .filter((name) => !chosen.some((one) => one.kind === kind && one.name === name))
          .map((name) => [kind, name]),
      );
      if (missing.length > 0)
        throw notThere(
          slug,
          missing.map((words) => words.join(' ').trim()),
        );
      const decided = await decide(client, slug, options['reject'] === true ? 'reject' : 'approve', chosen);
      out.show(decided ?? report, () => decidedText(slug, chosen, options['reject'] === true));
    },
  );
}

const decide = async (
  client: ApiClient,
  slug: string,
  decision: 'approve' | 'reject',
  chosen: readonly Definition[],
): Promise<DefinitionReport | null> =>
  chosen.length === 0
    ? null
    : client.decideDefinitions(slug, {
        decision,
        definitions: chosen.map(({ kind, name, hash }) => ({ kind, name, hash })),
      });

function decidedText(slug: string, chosen: readonly Definition[], isRejected: boolean): string {
  const shown = chosen.filter(isShown);
  if (chosen.length === 0) return `Nothing of ${slug} waits for a decision.`;
  const lines = shown.flatMap(definitionLines);
  const verb = isRejected ? 'Turned down' : 'Agreed to';
  return [...lines, `${verb}: ${shown.map(idOf).join(', ') || `what ${slug} offers`}.`].join('\n');
}

function consentText(report: DefinitionReport): string {
  const { server, problem, fingerprint } = report;
  const waiting = report.definitions.filter(waits);
  const of = (state: Definition['state']): readonly Definition[] =>
    report.definitions.filter((one) => one.state === state);
  const lines = waiting.filter(isShown).flatMap(definitionLines);
  const said = [
    ...(problem === null
      ? []
      : [`${server} could not be asked what it offers now: ${printable(problem.message)}`]),
    ...(problem?.hint === undefined ? [] : [`  ${printable(problem.hint)}`]),
    ...lines,
    `${of('approved').length} agreed to, ${waiting.filter(isShown).length} waiting, ${of('rejected').length} turned down.`,
    ...(of('gone').length === 0 ? [] : [`Not offered any more: ${of('gone').map(idOf).join(', ')}.`]),
  ];
  if (waiting.length === 0) return said.join('\n');
  return [
    ...said,
    `Agree to just this: sallyport server consent ${server} --all --seen ${fingerprint}`,
    `Or to one: sallyport server consent ${server} --tool NAME; turn down: add --reject`,
  ].join('\n');
}

const nothingNamed = (): AppError =>
  new AppError('cli_usage', 'Say what about: --tool NAME, --prompt NAME, --instructions or --all.', {
    kind: 'invalid',
  });

const changedSince = (slug: string): AppError =>
  new AppError('definitions_changed', `What \`${slug}\` offers is not what was shown any more.`, {
    kind: 'conflict',
    hint: `Look again: \`sallyport server consent ${slug}\`.`,
  });

const notThere = (slug: string, names: readonly string[]): AppError =>
  new AppError(
    'definition_not_waiting',
    `At \`${slug}\`, no decision is needed about: ${names.join(', ')}.`,
    {
      kind: 'not_found',
      hint: `See what waits: \`sallyport server consent ${slug}\`.`,
    },
  );
