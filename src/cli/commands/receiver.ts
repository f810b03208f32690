/** `sallyport receiver …`: values that exports, alerts and approvals need, named in sallyport.yaml as `vault:NAME`. */
import type { Command } from 'commander';
import { connected } from '../command.ts';
import type { CliHost } from '../host.ts';
import { table, when } from '../output.ts';
import { secretText } from '../secret-input.ts';

export function receiverCommands(host: CliHost, program: Command): void {
  const receiver = program
    .command('receiver')
    .description('secrets of audit exports, alerts and approvals: `vault:NAME` in sallyport.yaml');

  connected(
    host,
    receiver
      .command('set')
      .description('set or rotate a value; asks without echo unless it is given')
      .argument('<name>')
      .option('--stdin', 'read the value from standard input, up to the end, without a final line break'),
    async ({ client, out }, [name = ''], options) => {
      const source = { given: undefined, fromStdin: options['stdin'] === true };
      const command = `sallyport receiver set ${name}`;
      const text = await secretText(host, { ...source, message: `Value of ${name}`, command });
      const set = await client.setReceiverSecret(name, text);
      out.show(
        set,
        () =>
          `${out.paint('green', '✔')} ${name} is set (version ${set.version}): vault:${name} in sallyport.yaml.`,
      );
    },
  );

  connected(host, receiver.command('list').description('which values are set'), async ({ client, out }) => {
    const found = await client.receiverSecrets();
    out.show(found, () =>
      found.length === 0
        ? 'Nothing is set.'
        : table(
            ['NAME', 'VALUE', 'CHANGED', 'BY'],
            found.map((one) => [one.name, `version ${one.version}`, when(one.updatedAt), one.updatedBy]),
          ),
    );
  });

  connected(
    host,
    receiver.command('delete').description('delete a value').argument('<name>'),
    async ({ client, out }, [name = '']) => {
      const done = await client.deleteReceiverSecret(name);
      out.show(done, () => `Deleted: ${done.deleted.join(', ')}.`);
    },
  );
}
