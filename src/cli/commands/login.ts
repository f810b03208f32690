/** `sallyport server login` and `logout`: a person's browser, and what comes back from it. */
import type { Command } from 'commander';
import type { ApiClient, BeginLogin, LoginView } from '../../api/index.ts';
import { AppError, isAppError, limits } from '../../kernel/index.ts';
import { connected, listOption, type Options, repeated, textOption } from '../command.ts';
import type { CallbackDoor, CliHost } from '../host.ts';
import { printable, printableLines, renderError, when } from '../output.ts';

export function loginCommands(host: CliHost, server: Command): void {
  connected(
    host,
    server
      .command('login')
      .description(
        'log in at a remote server, in a browser; the tokens are sealed and renewed by the gateway',
      )
      .argument('<server>')
      .option('--no-browser', 'only show the address to open')
      .option(
        '--port <port>',
        'the browser comes back to http://127.0.0.1:PORT/oauth/callback; 0: any that is free',
        String(limits.oauthCallbackPort),
      )
      .option('--scope <name>', 'ask for this, in place of what the server asks for (repeatable)', repeated)
      .option('--client-id <id>', 'what somebody registered for this gateway at the authorization server')
      .option('--client-secret-stdin', 'the secret of that, from standard input')
      .option('--accept-issuer', 'take another authorization server than at the last login'),
    async ({ client, out }, [slug = ''], options) => {
      const door = await host.openCallback(portOf(options));
      try {
        const begun = await client.beginLogin(slug, await wanted(host, door, options));
        host.stderr.write(
          `Log in at ${printable(begun.issuer)}:\n\n  ${printable(begun.authorizationUrl)}\n\nWaiting for the browser to come back to ${door.redirectUri} …\n`,
        );
        const elsewhere = pageElsewhere(begun);
        if (elsewhere !== null)
          host.stderr.write(
            `The page is at ${printable(elsewhere)}, which is not where ${printable(begun.issuer)} is: what you agree to there is handed to the latter. Go on only if the two belong together.\n`,
          );
        if (options['browser'] === true) await host.openBrowser(begun.authorizationUrl);
        const login = await ended(client, door);
        out.show(login, () => `${out.paint('green', '✔')} ${slug} is logged in.\n${loginText(login)}`);
      } finally {
        await door.close();
      }
    },
  );

  connected(
    host,
    server.command('logout').description('give the login back and forget its tokens').argument('<server>'),
    async ({ client, out }, [slug = '']) => {
      const { removed } = await client.logout(slug);
      out.show({ server: slug, removed }, () =>
        removed ? `${slug} is logged out, and its tokens are gone.` : `${slug} was not logged in.`,
      );
    },
  );
}

/**
 * The host of the page, where it is another than the authorization server's own. One may say of another's page that it is its
 * own: a person who trusts the page would log in there, and the code would go to the one that said so.
 */
function pageElsewhere({
  authorizationUrl,
  issuer,
}: {
  readonly authorizationUrl: string;
  readonly issuer: string;
}): string | null {
  const page = URL.parse(authorizationUrl)?.host ?? '';
  return page === URL.parse(issuer)?.host ? null : page;
}

async function wanted(host: CliHost, { redirectUri }: CallbackDoor, options: Options): Promise<BeginLogin> {
  const scopes = listOption(options, 'scope');
  const clientId = textOption(options, 'clientId');
  const withSecret = options['clientSecretStdin'] === true;
  if (withSecret && clientId === undefined)
    throw new AppError('cli_usage', 'A secret is of use only with --client-id.', { kind: 'invalid' });
  return {
    redirectUri,
    ...(scopes.length === 0 ? {} : { scopes: [...scopes] }),
    ...(clientId === undefined ? {} : { clientId }),
    ...(withSecret ? { clientSecret: await firstLine(host) } : {}),
    ...(options['acceptIssuer'] === true ? { acceptIssuer: true } : {}),
  };
}

/** What is not for this login may be anybody's, and ends nothing. */
async function ended(client: ApiClient, { arrivals }: CallbackDoor): Promise<LoginView> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(tooLate()), limits.oauthLoginMs);
  const answered = async (): Promise<LoginView> => {
    for await (const arrival of arrivals) {
      try {
        const login = await client.finishLogin(arrival.query);
        arrival.answer(true, `${login.server} is logged in. You can close this page.`);
        return login;
      } catch (error) {
        arrival.answer(false, printableLines(renderError(error)));
        if (!isAppError(error) || error.code !== 'oauth_state_unknown') throw error;
      }
    }
    throw tooLate();
  };
  try {
    return await Promise.race([answered(), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

const tooLate = (): AppError =>
  new AppError('oauth_login_late', 'Nobody came back from the browser in time.', {
    kind: 'unavailable',
    hint: 'Run it again, and open the address that it shows.',
  });

function portOf(options: Options): number {
  const port = textOption(options, 'port') ?? '';
  if (/^\d{1,5}$/.test(port) && Number(port) <= 65_535) return Number(port);
  throw new AppError('cli_usage', `\`${port}\` is no port.`, { kind: 'invalid' });
}

async function firstLine(host: CliHost): Promise<string> {
  let text = '';
  for await (const chunk of host.stdin) {
    text += String(chunk);
    if (text.length > limits.oauthTokenCharsMax) break;
  }
  return text.replace(/\r?\n$/, '');
}

/** One or two lines for `server show`. */
export function loginText(login: LoginView | null): string {
  if (login === null) return 'Login: none';
  const { issuer, state, scopes, expiresAt, refreshable } = login;
  const until = expiresAt === null ? 'until the server says otherwise' : `until ${when(expiresAt)}`;
  const how =
    state === 'ready' ? `${until}${refreshable ? ', renewed by itself' : ''}` : 'ENDED, log in again';
  const what = scopes.length === 0 ? '' : `; ${scopes.map(printable).join(' ')}`;
  return `Login: at ${printable(issuer)}, ${how}${what}`;
}
