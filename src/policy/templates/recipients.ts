/** Templates about who gets something, and where links lead. */
import { listed } from '../decision.ts';
import {
  ARGUMENT,
  argument,
  argumentList,
  deny,
  domainForm,
  type Parameter,
  quoted,
  type Template,
} from './template.ts';

const ARGUMENTS: Parameter = {
  type: 'texts',
  about: 'the arguments that name recipients',
  preset: ['to', 'cc', 'bcc', 'recipients'],
};

const DOMAINS: Parameter = {
  type: 'texts',
  about: 'the domains; what is below one belongs to it',
  form: domainForm,
};

export const recipients: readonly Template[] = [
  {
    name: 'max-recipients',
    summary: 'Refuses messages to more than a number of recipients.',
    parameters: { maximum: { type: 'integer', about: 'how many there may be' }, arguments: ARGUMENTS },
    draft: (given) => ({
      when: `size(recipients(${argumentList(given.texts('arguments'))})) > ${given.number('maximum')}`,
      action: deny,
      message: `There are more than ${given.number('maximum')} recipients`,
      instead: `Up to ${given.number('maximum')} are allowed.`,
    }),
    example: {
      with: { maximum: 2 },
      meets: [
        { args: { to: 'a@x.example, b@x.example', cc: ['c@x.example'] } },
        { args: { to: [{ address: 'a@x.example' }, { address: 'b@x.example' }, { address: 'all-staff' }] } },
      ],
      passes: [{ args: { to: '"Doe, Jane" <a@x.example>; b@x.example' } }, { args: {} }],
    },
  },
  {
    name: 'external-recipients',
    summary: 'Refuses messages to anybody outside of some domains, and to names that are no address.',
    parameters: { domains: DOMAINS, arguments: ARGUMENTS },
    draft: (given) => ({
      when: `recipients(${argumentList(given.texts('arguments'))}).exists(one, !within(domainOf(one), ${quoted(given.texts('domains'))}))`,
      action: deny,
      message: 'A recipient is outside of the allowed domains',
      instead: `Recipients at ${listed(given.texts('domains'))} are allowed.`,
    }),
    example: {
      with: { domains: ['example.com'] },
      meets: [
        { args: { to: 'eve@evil.example' } },
        { args: { to: 'bob@example.com', bcc: ['eve@example.com.evil.example'] } },
        { args: { to: 'bob@example.com, Everybody' } },
        { args: { to: '"bob@example.com" <eve@evil.example>' } },
      ],
      passes: [{ args: { to: 'Bob <bob@Example.com>, ann@mail.example.com' } }, { args: {} }],
    },
  },
  {
    name: 'block-recipients',
    summary: 'Refuses messages to some addresses.',
    parameters: { addresses: { type: 'texts', about: 'the addresses' }, arguments: ARGUMENTS },
    draft: (given) => ({
      when: `recipients(${argumentList(given.texts('arguments'))}).exists(one, one.lower() in ${quoted(given.texts('addresses').map((one) => one.toLowerCase()))})`,
      action: deny,
      message: 'A recipient is not allowed',
      instead: `Anybody but ${listed(given.texts('addresses'))} is allowed.`,
    }),
    example: {
      with: { addresses: ['press@example.com'] },
      meets: [{ args: { to: 'Press <PRESS@example.com>' } }],
      passes: [{ args: { to: 'bob@example.com' } }],
    },
  },
  {
    name: 'allow-recipients',
    summary: 'Refuses messages to anybody but some addresses.',
    parameters: { addresses: { type: 'texts', about: 'the addresses' }, arguments: ARGUMENTS },
    draft: (given) => ({
      when: `!recipients(${argumentList(given.texts('arguments'))}).all(one, one.lower() in ${quoted(given.texts('addresses').map((one) => one.toLowerCase()))})`,
      action: deny,
      message: 'A recipient is not among those that are allowed',
      instead: `Allowed are ${listed(given.texts('addresses'))}.`,
    }),
    example: {
      with: { addresses: ['ops@example.com', 'C024BE91L'] },
      meets: [{ args: { to: 'eve@example.com' } }, { args: { to: ['ops@example.com', 'U1'] } }],
      passes: [{ args: { to: 'Ops@example.com' } }, { args: { to: 'c024be91l' } }],
    },
  },
  {
    name: 'block-mass-mentions',
    summary:
      'Refuses texts that call everybody: @channel, @here, @everyone and how Slack and Discord write them.',
    parameters: { argument: ARGUMENT },
    draft: (given) => ({
      when: `texts(${argument(given.text('argument'))}).exists(text, folded(text).matches("(?:@|<!)(?:channel|here|everyone|all|group)\\\\b|<!subteam\\\\^"))`,
      action: deny,
      message: 'The text calls everybody',
      instead: 'Call single people.',
    }),
    example: {
      with: {},
      meets: [
        { args: { text: 'Look, @Channel!' } },
        { args: { text: '<!here> look' } },
        { args: { blocks: ['<!subteam^S012>'] } },
      ],
      passes: [{ args: { text: 'mail bob@hereford.example, or @anna' } }],
    },
  },
  {
    name: 'allow-domains',
    summary: 'Refuses links to anywhere but some domains.',
    parameters: { domains: DOMAINS, argument: ARGUMENT },
    draft: (given) => ({
      when: `!linkedHosts(${argument(given.text('argument'))}).all(host, within(host, ${quoted(given.texts('domains'))}))`,
      action: deny,
      message: 'A link leads out of the allowed domains',
      instead: `Links to ${listed(given.texts('domains'))} are allowed.`,
    }),
    example: {
      with: { domains: ['example.com'] },
      meets: [
        { args: { url: 'https://example.com@evil.example/' } },
        { args: { text: 'see https:\\\\evil.example' } },
        { args: { url: 'https://1.2.3.4/' } },
      ],
      passes: [{ args: { url: 'https://docs.example.com:8443/a?b#c' } }, { args: { text: 'no link' } }],
    },
  },
  {
    name: 'block-domains',
    summary: 'Refuses links to some domains.',
    parameters: { domains: DOMAINS, argument: ARGUMENT },
    draft: (given) => ({
      when: `linkedHosts(${argument(given.text('argument'))}).exists(host, within(host, ${quoted(given.texts('domains'))}))`,
      action: deny,
      message: 'A link leads to a domain that is not allowed',
      instead: `Links to anywhere but ${listed(given.texts('domains'))} are allowed.`,
    }),
    example: {
      with: { domains: ['paste.example'] },
      meets: [{ args: { text: 'at https://www.Paste.example/x' } }],
      passes: [{ args: { text: 'at https://notpaste.example/x' } }],
    },
  },
  {
    name: 'https-links',
    summary: 'Refuses links that are not encrypted.',
    parameters: { argument: ARGUMENT },
    draft: (given) => ({
      when: `texts(${argument(given.text('argument'))}).exists(text, text.matches("(?i)\\\\b(?:http|ftp|ws):"))`,
      action: deny,
      message: 'A link is not encrypted',
      instead: 'Use links that begin with https://.',
    }),
    example: {
      with: {},
      meets: [{ args: { url: 'HTTP://example.com' } }],
      passes: [{ args: { url: 'https://example.com' } }],
    },
  },
];
