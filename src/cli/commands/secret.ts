/** `sallyport secret …`: values go in, and none comes out. */
import type { Command } from 'commander';
import type { InjectBody, SecretView } from '../../api/index.ts';
import { AppError, limits } from '../../kernel/index.ts';
import { connected, listOption, repeated, textOption } from '../command.ts';
import type { CliHost } from '../host.ts';
import { table, when } from '../output.ts';
import { oneSource, secretText } from '../secret-input.ts';
import { adoptedLines } from './definition-text.ts';
import { placeFrom, placeOptions } from './inject-place.ts';

export function secretCommands(host: CliHost, program: Command): void {
  const secret = program.command('secret').description("values of the servers' credentials");

  connected(
    host,
    secret
      .command('set')
      .description('set or rotate a value; asks without echo unless it is given')
      .argument('<server>')
      .argument('<name>')
      .argument(
        '[value]',
        'the value itself; it stays in the shell history, so prefer to be asked or --stdin',
      )
      .option('--stdin', 'read the value from standard input, up to the end, without a final line break'),
    async ({ client, out }, [server = '', name = '', value], options) => {
      const fromStdin = options['stdin'] === true;
      oneSource({ given: value, fromStdin });
      const slot = findSlot(await client.secrets(server), server, name);
      const text = await secretText(host, {
        given: value,
        fromStdin,
        message: `Value of ${name} for ${server}`,
        command: `sallyport secret set ${server} ${name}`,
      });
      const { version, definitions } = await client.setSecret(server, name, text);
      out.show({ server, name, version, definitions }, () =>
        [
          `${out.paint('green', '✔')} ${name} of ${server} is set (version ${version}).`,
          ...(slot.tier === 'sealed'
            ? [`  It goes to ${slot.hosts.join(', ')} only; the server sees a placeholder.`]
            : []),
          ...(slot.tier === 'entrusted' ? ['  It is entrusted: the server itself sees the value.'] : []),
          ...(slot.tier === 'sealed' && isTooShortToMask(text)
            ? ['  Warning: so short a value is not masked where the API sends it back.']
            : []),
          ...(definitions === null ? [] : adoptedLines(definitions)),
        ].join('\n'),
      );
    },
  );

  connected(
    host,
    secret.command('list').description('which values a server needs and which are set').argument('<server>'),
    async ({ client, out }, [server = '']) => {
      const slots = await client.secrets(server);
      out.show(slots, () =>
        slots.length === 0
          ? `${server} needs no credential.`
          : table(
              ['NAME', 'TIER', 'VALUE', 'GOES TO', 'CHANGED'],
              slots.map((slot) => [
                slot.name,
                slot.tier,
                slot.version === null ? (slot.required ? 'MISSING' : 'not set') : `version ${slot.version}`,
                slot.hosts.join(', '),
                when(slot.updatedAt),
              ]),
            ),
      );
    },
  );

  connected(
    host,
    secret
      .command('delete')
      .description('delete a value')
      .argument('<server>')
      .argument('[name]')
      .option('--all', 'every value of the server'),
    async ({ client, out }, [server = '', name], options) => {
      const all = options['all'] === true;
      if (all === (name !== undefined)) {
        throw new AppError('cli_usage', 'Name one secret, or give --all.', {
          kind: 'invalid',
          hint: `\`sallyport secret list ${server}\` shows the names.`,
        });
      }
      const { deleted } = await client.deleteSecret(server, name ?? '*');
      out.show({ server, deleted }, () =>
        deleted.length === 0 ? 'Nothing was set.' : `Deleted: ${deleted.join(', ')}.`,
      );
    },
  );

  connected(
    host,
    placeOptions(
      secret
        .command('inject')
        .description('declare a credential and where it goes in requests, for a server without a manifest')
        .argument('<server>')
        .argument(
          '<name>',
          'also the environment variable that holds the placeholder, unless --env says otherwise',
        ),
    )
      .option('--host <host>', 'only to this host (repeatable); every host of the server otherwise', repeated)
      .option('--env <variable>', 'environment variable that holds the placeholder'),
    async ({ client, out }, [server = '', name = ''], options) => {
      const hosts = listOption(options, 'host');
      const env = textOption(options, 'env');
      const body: InjectBody = {
        rule: placeFrom(options),
        ...(hosts.length === 0 ? {} : { hosts: [...hosts] }),
        ...(env === undefined ? {} : { env }),
      };
      const changed = await client.inject(server, name, body);
      out.show(
        changed,
        () =>
          `${out.paint('green', '✔')} ${name} of ${server} is declared. Next: sallyport secret set ${server} ${name}`,
      );
    },
  );
}

/** Before anybody is asked to type a value that then has no place. @throws AppError `secret_slot_unknown` */
function findSlot(slots: readonly SecretView[], server: string, name: string): SecretView {
  const slot = slots.find((one) => one.name === name);
  if (slot !== undefined) return slot;
  throw new AppError('secret_slot_unknown', `\`${server}\` has no credential \`${name}\`.`, {
    kind: 'not_found',
    hint:
      slots.length > 0
        ? `It has: ${slots.map((one) => one.name).join(', ')}.`
        : `Declare one first: \`sallyport secret inject ${server} ${name} --bearer\`.`,
  });
}

const isTooShortToMask = (value: string): boolean => Buffer.byteLength(value) < limits.scrubValueBytesMin;
