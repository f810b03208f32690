/** `sallyport approval …`: requests that rules hold back until somebody agrees to them. */
import type { Command } from 'commander';
import type { ApprovalDetail, ApprovalView } from '../../api/index.ts';
import { AppError } from '../../kernel/index.ts';
import { connected, textOption } from '../command.ts';
import type { CliHost } from '../host.ts';
import { type Output, spelledOut, table, when } from '../output.ts';

export function approvalCommands(host: CliHost, program: Command): void {
  const approval = program
    .command('approval')
    .description('approvals: calls that wait until somebody agrees to them');

  connected(
    host,
    approval
      .command('list')
      .description('what waits for an answer')
      .option(
        '--state <state>',
        'pending, approved, rejected, expired, revoked, executed, or all',
        'pending',
      ),
    async ({ client, out }, _, options) => {
      const state = stateOf(textOption(options, 'state') ?? 'pending');
      const found = await client.approvals(state);
      out.show(found, () => listText(found, state));
    },
  );

  connected(
    host,
    approval
      .command('show')
      .description('one of them: who asks for what, with which arguments, and what was answered')
      .argument('<id>'),
    async ({ client, out }, [id = '']) => {
      const found = await client.approval(id);
      out.show(found, () => detailText(found));
    },
  );

  connected(
    host,
    approval
      .command('approve')
      .description('agree to this very request')
      .argument('<id>')
      .option('--for <scope>', 'once, session, or a time such as 30m or 2h', 'once')
      .option('--reason <text>', 'why'),
    async ({ client, out }, [id = ''], options) => {
      const scope = scopeOf(textOption(options, 'for') ?? 'once');
      const reason = textOption(options, 'reason') ?? null;
      const found = await client.answerApproval(id, { decision: 'approve', scope, reason });
      out.show(found, () => answeredText(out, found));
    },
  );

  for (const [decision, about] of [
    ['reject', 'refuse it: whoever asks is told so'],
    ['revoke', 'take back what waits, or what was agreed to and can still be used'],
  ] as const) {
    connected(
      host,
      approval.command(decision).description(about).argument('<id>').option('--reason <text>', 'why'),
      async ({ client, out }, [id = ''], options) => {
        const reason = textOption(options, 'reason') ?? null;
        const found = await client.answerApproval(id, { decision, reason });
        out.show(found, () => answeredText(out, found));
      },
    );
  }
}

const STATES = ['pending', 'approved', 'rejected', 'expired', 'revoked', 'executed'] as const;

function stateOf(text: string): ApprovalView['state'] | null {
  if (text === 'all') return null;
  const state = STATES.find((one) => one === text);
  if (state === undefined) throw usage(`\`${text}\` is not one of ${STATES.join(', ')}, all.`);
  return state;
}

type Scope = { kind: 'once' } | { kind: 'session' } | { kind: 'minutes'; minutes: number };

const UNIT_MINUTES: Readonly<Record<string, number>> = { m: 1, h: 60, d: 1_440 };

function scopeOf(text: string): Scope {
  if (text === 'once' || text === 'session') return { kind: text };
  const [, count, unit = ''] = /^([1-9]\d{0,4})([mhd])$/.exec(text) ?? [];
  if (count === undefined) throw usage(`\`${text}\` is not once, session, or a time such as 30m, 2h or 1d.`);
  return { kind: 'minutes', minutes: Number(count) * (UNIT_MINUTES[unit] ?? 1) };
}

const whatOf = ({ server, subject, name }: ApprovalView): string =>
  spelledOut(`${server} ${subject === 'tool' ? '' : `${subject} `}${name}`);

function listText(found: readonly ApprovalView[], state: string | null): string {
  if (found.length === 0)
    return state === 'pending' ? 'Nothing waits for an approval.' : 'There are no such approvals.';
  return table(
    ['ID', 'STATE', 'WHAT', 'WHO ASKS', 'AGREED', 'ASKED', 'UNTIL'],
    found.map((one) => [
      one.id,
      one.state,
      whatOf(one),
      spelledOut(`${one.agent} (${one.requester})`),
      `${one.counts} of ${one.people}`,
      when(one.askedAt),
      when(one.grant?.until ?? one.askUntil),
    ]),
  );
}

function detailText(found: ApprovalDetail): string {
  const rows: (readonly [string, string])[] = [
    ['state', found.state],
    ['what', whatOf(found)],
    ['who asks', spelledOut(`${found.agent} (${found.requester})`)],
    ['profile', spelledOut(found.profile ?? '-')],
    ['rules', spelledOut(found.rules.join(', '))],
    ['asked', when(found.askedAt)],
    ['answer by', when(found.askUntil)],
    ['agreed', `${found.counts} of ${found.people}`],
    ...found.agreed.map((one): readonly [string, string] => ['', answerText(one)]),
    ...(found.ended === null ? [] : [[found.state, answerText(found.ended)] as const]),
    ...(found.grant === null ? [] : [['good for', grantText(found.grant)] as const]),
    ['used', `${found.uses} times`],
    ['request', found.hash],
    ['definition', found.definitionHash ?? '-'],
  ];
  const facts = rows.map(([name, text]) => `${name.padEnd(12)}${text}`).join('\n');
  const beside = found.beside === null ? '' : `\nbeside them\n${argumentsText(found.beside)}`;
  return `${facts}\narguments\n${found.arguments === null ? '  none' : argumentsText(found.arguments)}${beside}`;
}

/** As they will be sent: read and written anew, a long number would be another one. */
const argumentsText = (text: string): string =>
  text
    .split('\n')
    .map((line) => `  ${spelledOut(line)}`)
    .join('\n');

interface Answered {
  readonly by: string;
  readonly account: string;
  readonly at: number;
  readonly reason: string | null;
}

function answerText({ by, account, at, reason }: Answered): string {
  const who = account === by ? by : `${by} (${account})`;
  return spelledOut(`${who} at ${when(at)}${reason === null ? '' : `: ${reason}`}`);
}

const grantText = ({ once, session, until }: { once: boolean; session: boolean; until: number }): string =>
  `${once ? 'one call' : session ? 'the session that asked' : 'every such call'}, until ${when(until)}`;

const SAID: Readonly<Record<ApprovalView['state'], string>> = {
  pending: 'Somebody else has to agree too',
  approved: 'Approved',
  rejected: 'Rejected',
  expired: 'Its time is over',
  revoked: 'Revoked',
  executed: 'It was used already',
};

function answeredText(out: Output, found: ApprovalView): string {
  const count = found.state === 'pending' ? ` (${found.counts} of ${found.people} have)` : '';
  return `${out.paint('green', '✔')} ${SAID[found.state]}${count}: ${found.id}, ${whatOf(found)}.`;
}

const usage = (message: string): AppError => new AppError('cli_usage', message, { kind: 'invalid' });
