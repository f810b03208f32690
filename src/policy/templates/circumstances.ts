/** Templates about who calls, when and from where, and about what servers send meanwhile. */
import { listed } from '../decision.ts';
import { dayForm, deny, domainForm, type Parameter, quoted, type Template, timeForm } from './template.ts';

const ZONE: Parameter = { type: 'text', about: 'the time zone, `Europe/Berlin`' };
const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
const TOOLS: Parameter = { type: 'texts', about: 'the tools; `*` stands for any characters', preset: ['*'] };

export const circumstances: readonly Template[] = [
  {
    name: 'working-hours',
    summary: 'Refuses calls outside of working hours.',
    parameters: {
      zone: ZONE,
      from: { type: 'text', about: 'when work begins', preset: '09:00', form: timeForm },
      to: { type: 'text', about: 'when it ends, later on the same day', preset: '18:00', form: timeForm },
      days: {
        type: 'choices',
        about: 'the working days',
        words: DAYS,
        preset: ['mon', 'tue', 'wed', 'thu', 'fri'],
      },
    },
    draft: (given) => {
      const zone = quoted(given.text('zone'));
      return {
        when: `!(weekday(now, ${zone}) in ${quoted(given.texts('days'))}) || clock(now, ${zone}) < ${quoted(given.text('from'))} || clock(now, ${zone}) >= ${quoted(given.text('to'))}`,
        action: deny,
        message: 'This is outside of working hours',
        instead: `Call on ${listed(given.texts('days'))} from ${given.text('from')} to ${given.text('to')}, ${given.text('zone')}.`,
      };
    },
    example: {
      with: { zone: 'Europe/Berlin', from: '08:30', to: '17:00' },
      meets: [
        { now: '2026-11-20T07:29:00Z' },
        { now: '2026-11-20T16:00:00Z' },
        { now: '2026-11-21T10:00:00Z' },
      ],
      passes: [{ now: '2026-11-20T07:30:00Z' }, { now: '2026-11-20T15:59:59Z' }],
    },
  },
  {
    name: 'freeze',
    summary: 'Refuses calls from one day to another, both included.',
    parameters: {
      zone: ZONE,
      from: { type: 'text', about: 'the first day, `2026-12-20`', form: dayForm },
      to: { type: 'text', about: 'the last day', form: dayForm },
    },
    draft: (given) => {
      const day = `date(now, ${quoted(given.text('zone'))})`;
      return {
        when: `${day} >= ${quoted(given.text('from'))} && ${day} <= ${quoted(given.text('to'))}`,
        action: deny,
        message: `Nothing is changed from ${given.text('from')} to ${given.text('to')}`,
        instead: 'Call before or after.',
      };
    },
    example: {
      with: { zone: 'America/New_York', from: '2026-12-20', to: '2027-01-02' },
      meets: [{ now: '2026-12-20T05:00:00Z' }, { now: '2027-01-03T04:59:00Z' }],
      passes: [{ now: '2026-12-20T04:59:00Z' }, { now: '2027-01-03T05:00:00Z' }],
    },
  },
  {
    name: 'client-networks',
    summary: 'Refuses clients that call from anywhere but some networks.',
    parameters: { networks: { type: 'texts', about: 'the networks, `10.0.0.0/8`' } },
    draft: (given) => ({
      when: `!(${given
        .texts('networks')
        .map((network) => `inNetwork(client.ip, ${quoted(network)})`)
        .join(' || ')})`,
      action: deny,
      message: 'The client calls from a network that is not allowed',
      instead: `Call from ${listed(given.texts('networks'))}.`,
    }),
    example: {
      with: { networks: ['10.0.0.0/8', 'fd00::/8'] },
      meets: [{ clientIp: '192.0.2.1' }, {}],
      passes: [{ clientIp: '10.1.2.3' }, { clientIp: '::ffff:10.1.2.3' }, { clientIp: 'fd00::1' }],
    },
  },
  {
    name: 'allow-agents',
    summary: 'Refuses every agent but some.',
    parameters: { agents: { type: 'texts', about: 'names of agents, as their tokens have them' } },
    draft: (given) => ({
      when: `!(agent in ${quoted(given.texts('agents'))})`,
      action: deny,
      message: 'This agent may not do this',
      instead: `Allowed are ${listed(given.texts('agents'))}.`,
    }),
    example: {
      with: { agents: ['ci', 'release'] },
      meets: [{ agent: 'laptop' }, { agent: 'CI' }],
      passes: [{ agent: 'ci' }],
    },
  },
  {
    name: 'block-tools',
    summary: 'Refuses tools by their names.',
    parameters: { tools: { type: 'texts', about: 'the tools; `*` stands for any characters' } },
    draft: (given) => ({
      match: { tools: given.texts('tools') },
      action: deny,
      message: 'This tool may not be used',
      instead: `Tools other than ${listed(given.texts('tools'))} may be.`,
    }),
    example: {
      with: { tools: ['admin_*', 'shell'] },
      meets: [{ tool: 'admin_users' }, { tool: 'shell' }],
      passes: [{ tool: 'shell2' }, { tool: 'list' }],
    },
  },
  {
    name: 'egress-methods',
    summary: 'Refuses requests with any method but some while certain tools run.',
    parameters: { tools: TOOLS, methods: { type: 'texts', about: 'the methods', preset: ['GET', 'HEAD'] } },
    draft: (given) => ({
      match: { tools: given.texts('tools') },
      when: `!(egress.method in ${quoted(given.texts('methods').map((one) => one.toUpperCase()))})`,
      action: deny,
      message: 'The tools that run may not send this',
      instead: `They may send ${listed(given.texts('methods'))}.`,
    }),
    example: {
      with: { tools: ['search_*'], methods: ['get'] },
      meets: [{ egress: { host: 'api.example.com', method: 'POST', tools: ['list', 'search_code'] } }],
      passes: [
        { egress: { host: 'api.example.com', method: 'GET', tools: ['search_code'] } },
        { egress: { host: 'api.example.com', method: 'POST', tools: ['create'] } },
        { egress: { host: 'api.example.com', method: 'POST' } },
      ],
    },
  },
  {
    name: 'egress-hosts',
    summary: 'Refuses requests to any domain but some while certain tools run.',
    parameters: {
      tools: TOOLS,
      domains: { type: 'texts', about: 'the domains, and what is below them', form: domainForm },
    },
    draft: (given) => ({
      match: { tools: given.texts('tools') },
      when: `!within(egress.host, ${quoted(given.texts('domains'))})`,
      action: deny,
      message: 'The tools that run may not connect to this',
      instead: `They may connect to ${listed(given.texts('domains'))}.`,
    }),
    example: {
      with: { tools: ['fetch_docs'], domains: ['docs.example.com'] },
      meets: [{ egress: { host: 'api.example.com', method: 'GET', tools: ['fetch_docs'] } }],
      passes: [
        { egress: { host: 'v2.docs.example.com', method: 'GET', tools: ['fetch_docs'] } },
        { egress: { host: 'api.example.com', method: 'GET', tools: ['other'] } },
      ],
    },
  },
  {
    name: 'egress-size',
    summary: 'Refuses requests with a body above a size, and those that do not say how large theirs is.',
    parameters: { bytes: { type: 'integer', about: 'the largest body' } },
    draft: (given) => ({
      when: `egress.bytes > ${given.number('bytes')}`,
      action: deny,
      message: `The body is larger than ${given.number('bytes')} bytes`,
      instead: `Bodies of up to ${given.number('bytes')} bytes are allowed.`,
    }),
    example: {
      with: { bytes: 1_000 },
      meets: [
        { egress: { host: 'api.example.com', method: 'POST', bytes: 1_001 } },
        { egress: { host: 'api.example.com', method: 'POST' } },
      ],
      passes: [{ egress: { host: 'api.example.com', method: 'GET', bytes: 0 } }],
    },
  },
];
