/** `sallyport profile …` and `sallyport token …` */
import type { Command } from 'commander';
import type { ProfileView } from '../../api/index.ts';
import { AppError } from '../../kernel/index.ts';
import { connected, listOption, repeated, textOption } from '../command.ts';
import type { CliHost } from '../host.ts';
import { printable, table, when } from '../output.ts';

const DURATION = /^(\d+)([mhd])$/;
const UNIT_MS = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

export function profileCommands(host: CliHost, program: Command): void {
  const profile = program
    .command('profile')
    .description('selections of servers and tools, each with an endpoint of its own');

  connected(host, profile.command('list').description('list the profiles'), async ({ client, out }) => {
    const profiles = await client.profiles();
    out.show(profiles, () =>
      table(
        ['NAME', 'SERVERS'],
        profiles.map((one) => [one.name, one.entries.map((entry) => entry.server).join(', ') || 'none']),
      ),
    );
  });

  connected(
    host,
    profile.command('show').description('show one profile').argument('<profile>'),
    async ({ client, out }, [name = '']) => {
      const one = await client.profile(name);
      out.show(one, () => profileText(one));
    },
  );

  for (const [verb, what] of [
    ['create', 'make a profile'],
    ['set', 'replace what a profile holds'],
  ] as const) {
    connected(
      host,
      profile
        .command(verb)
        .description(what)
        .argument('<profile>')
        .option(
          '--server <server[:tool,…|:*]>',
          'a server, with its default tools, these tools, or all (repeatable)',
          repeated,
        ),
      async ({ client, out }, [name = ''], options) => {
        const exists = (await client.profiles()).some((one) => one.name === name);
        if (verb === 'create' && exists) {
          throw new AppError('profile_exists', `There is already a profile \`${name}\`.`, {
            kind: 'conflict',
            hint: `Change it: \`sallyport profile set ${name} …\`.`,
          });
        }
        if (verb === 'set' && !exists) {
          throw new AppError('profile_unknown', `There is no profile \`${name}\`.`, {
            kind: 'not_found',
            hint: `Make it: \`sallyport profile create ${name} …\`.`,
          });
        }
        const one = await client.setProfile(name, listOption(options, 'server').map(parseEntry));
        out.show(one, () => profileText(one));
      },
    );
  }

  connected(
    host,
    profile.command('delete').description('delete a profile').argument('<profile>'),
    async ({ client, out }, [name = '']) => {
      await client.deleteProfile(name);
      out.show(
        { deleted: name },
        () => `The profile ${name} is deleted; its tokens no longer open anything.`,
      );
    },
  );
}

function parseEntry(text: string): ProfileView['entries'][number] {
  const [server = '', tools] = text.split(':', 2);
  if (tools === undefined) return { server, tools: null };
  return { server, tools: tools === '*' ? '*' : tools.split(',').filter((tool) => tool !== '') };
}

const profileText = (one: ProfileView): string =>
  one.entries.length === 0
    ? `${one.name} holds no server.`
    : table(
        ['SERVER', 'TOOLS'],
        one.entries.map((entry) => [
          entry.server,
          entry.tools === null
            ? "the server's default"
            : entry.tools === '*'
              ? 'all'
              : entry.tools.join(', '),
        ]),
      );

export function tokenCommands(host: CliHost, program: Command): void {
  const token = program.command('token').description('what MCP clients present over HTTP');

  connected(
    host,
    token
      .command('create')
      .description('make a token; it is shown this once')
      .option('--profile <profile>', 'what it opens', 'default')
      .option('--agent <name>', 'who it is for, as the audit log will say', 'agent')
      .option('--expires <duration>', 'for how long it is good: 30m, 12h, 90d'),
    async ({ client, out }, _, options) => {
      const profile = textOption(options, 'profile') ?? 'default';
      const expires = textOption(options, 'expires');
      const created = await client.createToken({
        profile,
        agent: textOption(options, 'agent') ?? 'agent',
        ...(expires === undefined ? {} : { expiresAt: Date.now() + durationMs(expires) }),
      });
      out.show(created, () => created.token);
      const { url } = await client.status();
      out.note(
        `\nThis is the only time that it is shown. Send it as \`Authorization: Bearer …\` to ${url ?? 'http://127.0.0.1:7800'}/mcp/${profile}`,
      );
    },
  );

  connected(host, token.command('list').description('list the tokens'), async ({ client, out }) => {
    const tokens = await client.tokens();
    out.show(tokens, () =>
      tokens.length === 0
        ? 'No tokens yet. Make one: sallyport token create --agent NAME'
        : table(
            ['ID', 'AGENT', 'PROFILE', 'STATE', 'CREATED', 'LAST USED'],
            tokens.map((one) => [
              one.id,
              printable(one.agent),
              one.profile,
              one.revokedAt === null ? 'active' : 'revoked',
              when(one.createdAt),
              when(one.lastUsedAt),
            ]),
          ),
    );
  });

  connected(
    host,
    token.command('revoke').description('make a token useless at once').argument('<id>'),
    async ({ client, out }, [id = '']) => {
      await client.revokeToken(id);
      out.show({ revoked: id }, () => `${id} is revoked.`);
    },
  );

  connected(
    host,
    token.command('rotate').description('replace a token by a new one').argument('<id>'),
    async ({ client, out }, [id = '']) => {
      const created = await client.rotateToken(id);
      out.show(created, () => created.token);
    },
  );
}

function durationMs(text: string): number {
  const [, count, unit] = DURATION.exec(text) ?? [];
  if (count === undefined || unit === undefined) {
    throw new AppError('cli_duration_malformed', `\`${text}\` is not a duration.`, {
      kind: 'invalid',
      hint: 'Write a number and m, h or d: 30m, 12h, 90d.',
    });
  }
  return Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS];
}
