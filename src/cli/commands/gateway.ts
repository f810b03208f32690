/** `sallyport init | serve | stdio | demo | doctor | status` */
import type { Command } from 'commander';
import { connected, local, textOption } from '../command.ts';
import type { CliHost } from '../host.ts';
import { table, when } from '../output.ts';
import { CommandFailed } from '../failed.ts';

export function gatewayCommands(host: CliHost, program: Command): void {
  local(
    host,
    program.command('init').description('make the home folder, the master key and the database'),
    async (_, out) => {
      const made = await host.init();
      out.show({ home: host.home, made }, () =>
        [
          `${out.paint('green', '✔')} ${made.length === 0 ? 'Everything was there already.' : made.join('\n  ')}`,
          '  Next: sallyport server add github, then sallyport secret set github GITHUB_PERSONAL_ACCESS_TOKEN',
        ].join('\n'),
      );
    },
  );

  local(
    host,
    program
      .command('serve')
      .description('run the gateway')
      .option('--listen <address>', 'where MCP clients connect, 127.0.0.1:7800 unless configured'),
    (_, out, __, options) =>
      host.serve({
        listen: textOption(options, 'listen'),
        onListening(url) {
          // Elsewhere the log says so.
          if (host.stderr.isTTY === true)
            out.note(
              `${out.paint('green', '✔')} Sallyport is running. MCP clients connect to ${url}/mcp/default with a token (\`sallyport token create\`), or by \`sallyport stdio\`. Ctrl-C stops it.`,
            );
        },
      }),
  );

  local(
    host,
    program
      .command('stdio')
      .description('serve one MCP client on stdin and stdout')
      .option('--profile <profile>', 'what it may use', 'default')
      .option('--server <server>', 'only this server, with its own tool names'),
    async (_, __, ___, options) => {
      const server = textOption(options, 'server');
      await host.stdio({
        profile: textOption(options, 'profile') ?? 'default',
        ...(server === undefined ? {} : { server }),
      });
    },
  );

  local(
    host,
    program.command('demo').description('show the whole thing with a real server, and check every claim'),
    async (_, out) => {
      const claims = await host.demo(out.json);
      if (out.json) out.show(claims, () => '');
      if (claims.some(({ held }) => !held)) throw new CommandFailed(1);
    },
  );

  local(
    host,
    program.command('doctor').description('check that this machine has what is needed'),
    async (_, out) => {
      const checks = await host.doctor();
      out.show(checks, () =>
        checks
          .map(
            (check) =>
              `${check.ok ? out.paint('green', '✔') : out.paint('red', '✘')} ${check.name}: ${check.found}${check.fix === undefined ? '' : `\n  fix: ${check.fix}`}`,
          )
          .join('\n'),
      );
      if (checks.some((check) => !check.ok)) throw new CommandFailed(1);
    },
  );

  connected(
    host,
    program.command('status').description('the gateway and its cells'),
    async ({ client, out }) => {
      const status = await client.status();
      out.show(status, () =>
        [
          status.url === null
            ? 'No gateway is running. Start one: sallyport serve. Clients of `sallyport stdio` bring their own.'
            : `Sallyport ${status.version} at ${status.url}, process ${status.pid}, since ${when(status.startedAt)}`,
          ...(status.isolation === 'cell'
            ? []
            : [out.paint('red', 'Servers run WITHOUT ISOLATION: cells.isolation is none-unsafe.')]),
          ...(status.cells.length === 0
            ? ['No cells.']
            : [
                table(
                  ['CELL', 'SERVER', 'PROFILE', 'SINCE'],
                  status.cells.map((cell) => [
                    cell.id,
                    cell.server,
                    [cell.profile ?? '-', ...(cell.owner === null ? [] : [cell.owner])].join(' / '),
                    when(cell.startedAt),
                  ]),
                ),
              ]),
        ].join('\n'),
      );
    },
  );
}
