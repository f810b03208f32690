/** `sallyport alert list | test` */
import type { Command } from 'commander';
import { connected } from '../command.ts';
import type { CliHost } from '../host.ts';
import { printable, table, when } from '../output.ts';

export function alertCommands(host: CliHost, program: Command): void {
  const alert = program.command('alert').description('what is unusual in the audit log');

  connected(host, alert.command('list').description('the latest alerts'), async ({ client, out }) => {
    const alerts = await client.alerts();
    out.show(alerts, () =>
      alerts.length === 0
        ? 'None.'
        : table(
            ['AT', 'RULE', 'EVENT', 'WHAT'],
            alerts.map(({ at, rule, sequence, message }) => [
              when(at),
              printable(rule),
              String(sequence),
              printable(message),
            ]),
          ),
    );
  });

  connected(
    host,
    alert.command('test').description('raise one that says that it is a test, to see who is told'),
    async ({ client, out }) => {
      const raised = await client.testAlert();
      out.show(raised, () => `Raised, as event ${raised.sequence}; \`sallyport serve\` tells the channels.`);
    },
  );
}
