/** `sallyport policy …`: the owner's rules. */
import type { Command } from 'commander';
import type {
  ApiClient,
  PolicyCheck,
  PolicyExplanation,
  PolicySource,
  TemplateView,
} from '../../api/index.ts';
import { AppError } from '../../kernel/index.ts';
import { connected, listOption, local, repeated, textOption } from '../command.ts';
import { CommandFailed } from '../failed.ts';
import type { CliHost } from '../host.ts';
import { type Output, printable, table } from '../output.ts';

/** What policy refuses. */
const REFUSED = 3;

export function policyCommands(host: CliHost, program: Command): void {
  const policy = program
    .command('policy')
    .description('rules: what agents may do, when, and with which arguments');

  connected(
    host,
    policy
      .command('check')
      .description('say what is wrong with rules; nothing is changed')
      .argument('<file>'),
    async ({ client, out }, [file = '']) => {
      const found = await checkFile(client, host, file);
      out.show(found, () => checkText(out, file, found));
      if (!found.ok) throw new CommandFailed(1);
    },
  );

  connected(
    host,
    policy
      .command('apply')
      .description('replace the rules of the workspace, or of a profile; they hold at once')
      .argument('<file>')
      .option('--profile <name>', 'the rules of this profile'),
    async ({ client, out }, [file = ''], options) => {
      const profile = textOption(options, 'profile') ?? null;
      const text = await host.readFile(file);
      const found = await client.checkPolicy({ text, file });
      if (!found.ok) {
        out.show(found, () => checkText(out, file, found));
        throw new CommandFailed(1);
      }
      await client.applyPolicy({ text, profile });
      for (const warning of found.warnings) out.note(findingText(warning));
      out.show(
        { applied: { profile, rules: found.rules } },
        () =>
          `${out.paint('green', '✔')} ${found.rules} rules hold for ${profile === null ? 'every profile' : `the profile ${profile}`} from now on.`,
      );
    },
  );

  connected(
    host,
    policy.command('show').description('the rules that hold, as they were written'),
    async ({ client, out }) => {
      const sources = await client.policies();
      out.show(sources, () =>
        sources.length === 0
          ? 'There are no rules: every call that a profile selects is allowed.'
          : sources.map(sourceText).join('\n\n'),
      );
    },
  );

  connected(
    host,
    policy
      .command('remove')
      .description('remove the rules of the workspace, or of a profile')
      .option('--profile <name>', 'the rules of this profile'),
    async ({ client, out }, _, options) => {
      const profile = textOption(options, 'profile') ?? null;
      await client.removePolicy(profile);
      out.show({ removed: { profile } }, () => `${out.paint('green', '✔')} Removed.`);
    },
  );

  connected(
    host,
    policy
      .command('explain')
      .description('what the rules say of a call, rule by rule; nothing is called')
      .argument('<server>')
      .argument('<name>', 'of the tool; of the prompt, resource or host with --on')
      .argument('[arguments]', 'a JSON object', '{}')
      .option('--on <subject>', 'tool, prompt, resource, or egress: a request of the server', 'tool')
      .option('--profile <name>', 'the profile that it is called in')
      .option('--user <id>', 'who calls')
      .option('--agent <name>', 'the agent that calls')
      .option('--client <address>', 'where from')
      .option('--at <time>', 'when: 2026-11-21T09:00:00Z')
      .option('--method <method>', 'of a request', 'GET')
      .option('--path <path>', 'of a request', '/')
      .option('--running <tool>', 'a tool that runs meanwhile (repeatable)', repeated)
      .option('--against <file>', 'these rules, in place of those that hold'),
    async ({ client, out }, [server = '', name = '', argumentsJson = '{}'], options) => {
      const file = textOption(options, 'against');
      const subject = subjectOf(textOption(options, 'on') ?? 'tool');
      const found = await client.explainPolicy({
        subject,
        server,
        name,
        arguments: objectText(argumentsJson),
        profile: textOption(options, 'profile') ?? null,
        user: textOption(options, 'user') ?? null,
        agent: textOption(options, 'agent') ?? null,
        clientIp: textOption(options, 'client') ?? null,
        at: timeOf(textOption(options, 'at')),
        egress:
          subject === 'egress'
            ? {
                method: (textOption(options, 'method') ?? 'GET').toUpperCase(),
                path: textOption(options, 'path') ?? '/',
                tools: [...listOption(options, 'running')],
              }
            : null,
        text: file === undefined ? null : await host.readFile(file),
      });
      out.show(found, () => explanationText(out, found));
      if (found.outcome === 'deny') throw new CommandFailed(REFUSED);
    },
  );

  local(
    host,
    policy.command('templates').description('ready rules, with an example each').argument('[name]'),
    async (_, out, [name]) => {
      const all = await host.templates();
      const found = name === undefined ? all : all.filter((one) => one.name === name);
      if (found.length === 0)
        throw new AppError('policy_template_unknown', `There is no template \`${name ?? ''}\`.`, {
          kind: 'not_found',
          hint: 'See them: `sallyport policy templates`.',
        });
      out.show(found, () =>
        name === undefined
          ? table(
              ['TEMPLATE', 'WHAT IT DOES'],
              found.map((one) => [one.name, one.summary]),
            )
          : found.map(templateText).join('\n'),
      );
    },
  );
}

const checkFile = async (client: ApiClient, host: CliHost, file: string): Promise<PolicyCheck> =>
  client.checkPolicy({ text: await host.readFile(file), file });

const findingText = ({ file, line, column, message, expected }: PolicyCheck['errors'][number]): string =>
  printable(`${file}:${line}:${column}: ${message}${expected === '' ? '' : `; expected ${expected}`}`);

function checkText(out: Output, file: string, { ok, rules, errors, warnings }: PolicyCheck): string {
  const lines = [...errors, ...warnings].map(findingText);
  const head = ok ? `${out.paint('green', '✔')} ${file}: ${rules} rules` : `${out.paint('red', '✘')} ${file}`;
  return [printable(head), ...lines].join('\n');
}

function sourceText({ origin, profile, text, errors }: PolicySource): string {
  const of =
    origin === 'profile' ? `profile ${profile ?? ''}` : origin === 'file' ? 'policy.yaml' : 'workspace';
  const broken =
    errors.length === 0 ? [] : ['# cannot be used:', ...errors.map((one) => `# ${findingText(one)}`)];
  return [`# ${of}`, ...broken, ...text.trimEnd().split('\n').map(printable)].join('\n');
}

const WHY: Readonly<Record<PolicyExplanation['rules'][number]['look'], string>> = {
  subject: 'about something else',
  match: 'about another server or name',
  caller: 'about somebody else',
  when: 'its condition does not hold',
  matched: 'matched',
};

function explanationText(out: Output, found: PolicyExplanation): string {
  const rows = found.rules.map((rule) => [
    rule.id,
    rule.do,
    rule.fault === null
      ? WHY[rule.look]
      : `${WHY[rule.look]}: its condition could not be judged (${rule.fault})`,
    `${rule.file}:${rule.line}`,
  ]);
  const verdict = { allow: 'is allowed', approve: 'waits for an approval', deny: 'is refused' }[
    found.outcome
  ];
  const by = found.rule === null ? `by default (${found.default})` : `by the rule ${found.rule}`;
  return [
    ...(rows.length === 0 ? [] : [table(['RULE', 'DOES', 'WHY', 'WHERE'], rows), '']),
    out.paint(found.outcome === 'allow' ? 'green' : 'red', `It ${verdict}, ${by}.`),
    ...[found.message, found.hint].filter((text) => text !== null).map(printable),
  ].join('\n');
}

function templateText({ name, summary, parameters, example }: TemplateView): string {
  const about = parameters.map((one) => {
    const words = one.words === undefined ? '' : ` (${one.words.join(', ')})`;
    return `  ${one.name}: ${one.about}${words}${one.required ? '' : '; may be left out'}`;
  });
  return [`${name}: ${summary}`, ...about, '', example].join('\n');
}

function subjectOf(text: string): 'tool' | 'prompt' | 'resource' | 'egress' {
  if (text === 'tool' || text === 'prompt' || text === 'resource' || text === 'egress') return text;
  throw usage(`\`${text}\` is not one of tool, prompt, resource, egress.`);
}

function objectText(text: string): string {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return text;
  } catch {
    // Said below.
  }
  throw usage('The arguments must be one JSON object.');
}

function timeOf(text: string | undefined): number | null {
  if (text === undefined) return null;
  const at = Date.parse(text);
  if (Number.isNaN(at)) throw usage(`\`${text}\` is no time such as 2026-11-21T09:00:00Z.`);
  return at;
}

const usage = (message: string): AppError => new AppError('cli_usage', message, { kind: 'invalid' });
