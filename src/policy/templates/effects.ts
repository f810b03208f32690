/** Templates that do something else than refuse: how much, what is hidden, what is kept, who is asked. */
import type { Action, Limit } from '../rules/types.ts';
import { alertSeverities, limitKeys, maskStrategies, recordLevels } from '../rules/types.ts';
import { usagePeriods, usageScopes } from '../rules/usage.ts';
import type { Parameter, ParameterValues, ReadParameters, Template } from './template.ts';

const BY: Parameter = {
  type: 'choices',
  about: 'who has a count of their own',
  words: limitKeys,
  preset: ['token'],
};
const CALLS: Parameter = { type: 'integer', about: 'how many calls there may be' };

const UNLIMITED = {
  do: 'limit',
  calls: null,
  per: 'minute',
  burst: null,
  zone: 'UTC',
  by: ['token'],
  concurrent: null,
  resultBytes: null,
} as const;

const chosen = <Word extends string>(words: readonly Word[], given: readonly string[]): readonly Word[] =>
  words.filter((word) => given.includes(word));

const counted = (given: ReadParameters, per: Limit['per']): Limit => ({
  ...UNLIMITED,
  calls: given.number('calls'),
  per,
  by: chosen(limitKeys, given.texts('by')),
});

const rate = (per: Limit['per']): Template => ({
  name: per === 'session' ? 'calls-per-session' : `calls-per-${per}`,
  summary: `Limits how many calls there may be per ${per}.`,
  parameters: { calls: CALLS, by: BY },
  draft: (given) => ({
    action: counted(given, per),
    message: `There may be ${given.number('calls')} calls per ${per}`,
    instead: 'Wait, and call again.',
  }),
  example: {
    with: { calls: 30, by: ['user', 'tool'] },
    meets: [{ tool: 'search' }],
    passes: [{ egress: { host: 'api.example.com', method: 'GET' } }],
  },
});

const ASK = { do: 'approve', people: 1, expireMinutes: 60, justification: false } as const;
const FIRST_USES = ['approve', 'alert', 'deny'] as const;

function firstUse(outcome: string): Action {
  if (outcome === 'deny') return { do: 'deny' };
  return outcome === 'alert' ? { do: 'alert', severity: 'info' } : ASK;
}

interface Masking {
  readonly summary: string;
  readonly about: string;
  readonly instead: string;
  readonly example: ParameterValues;
}

const masking = (
  name: string,
  found: 'detectors' | 'keys',
  { summary, about, instead, example }: Masking,
): Template => ({
  name,
  summary,
  parameters: {
    [found]: { type: 'texts', about },
    strategy: { type: 'choice', about: 'what is left of it', words: maskStrategies, preset: 'redact' },
  },
  draft: (given) => ({
    action: {
      do: 'mask',
      detectors: [],
      keys: [],
      pointers: [],
      patterns: [],
      keepLast: 4,
      [found]: given.texts(found),
      strategy: chosen(maskStrategies, [given.text('strategy')])[0] ?? 'redact',
    },
    message: 'Parts of the result are hidden',
    instead,
  }),
  example: {
    with: example,
    meets: [{ tool: 'get_customer' }],
    passes: [{ egress: { host: 'api.example.com', method: 'GET' } }],
  },
});

export const effects: readonly Template[] = [
  rate('minute'),
  rate('hour'),
  rate('day'),
  rate('month'),
  rate('session'),
  {
    name: 'concurrent-calls',
    summary: 'Limits how many calls may be in flight at once.',
    parameters: { calls: CALLS, by: BY },
    draft: (given) => ({
      action: {
        ...UNLIMITED,
        concurrent: given.number('calls'),
        by: chosen(limitKeys, given.texts('by')),
      },
      message: `There may be ${given.number('calls')} calls at once`,
      instead: 'Wait for one to end.',
    }),
    example: {
      with: { calls: 4, by: ['server'] },
      meets: [{ tool: 'render' }],
      passes: [{ egress: { host: 'api.example.com', method: 'GET' } }],
    },
  },
  {
    name: 'max-result',
    summary: 'Limits how large a result may be.',
    parameters: { bytes: { type: 'integer', about: 'the largest result' } },
    draft: (given) => ({
      action: { ...UNLIMITED, resultBytes: given.number('bytes') },
      message: `Results may have ${given.number('bytes')} bytes`,
      instead: 'Ask for less.',
    }),
    example: {
      with: { bytes: 100_000 },
      meets: [{ tool: 'export' }],
      passes: [{ egress: { host: 'api.example.com', method: 'GET' } }],
    },
  },
  {
    name: 'approve-writes',
    summary: 'Has people agree to tools that do not say that they only read.',
    parameters: {
      people: { type: 'integer', about: 'how many have to agree', preset: 1 },
      expireMinutes: { type: 'integer', about: 'how long a call waits, in minutes', preset: 60 },
    },
    draft: (given) => ({
      when: '!(has(annotations.readOnlyHint) && annotations.readOnlyHint == true)',
      action: {
        do: 'approve',
        people: given.number('people'),
        expireMinutes: given.number('expireMinutes'),
        justification: false,
      },
      message: 'Somebody has to agree to this',
      instead: 'Tools that say that they only read need no agreement.',
    }),
    example: {
      with: { people: 2 },
      meets: [{ tool: 'create_issue' }],
      passes: [{ tool: 'list_issues', annotations: { readOnlyHint: true } }],
    },
  },
  {
    name: 'first-use',
    summary:
      'Has people agree, tells somebody or refuses when a user or agent calls a tool that it never called before.',
    parameters: {
      tools: { type: 'texts', about: 'the tools; `*` stands for any characters', preset: ['*'] },
      outcome: { type: 'choice', about: 'what happens', words: FIRST_USES, preset: 'approve' },
    },
    draft: (given) => ({
      match: { tools: given.texts('tools') },
      when: 'usage.tool.ever == 0',
      action: firstUse(given.text('outcome')),
      message: 'This caller never called this tool before',
      instead: 'Tools that it called before need nothing.',
    }),
    example: {
      with: { tools: ['create_*'], outcome: 'alert' },
      meets: [{ tool: 'create_issue', usage: { 'tool.ever': 0 } }, { tool: 'create_issue' }],
      passes: [
        { tool: 'create_issue', usage: { 'tool.ever': 1 } },
        { tool: 'list_issues', usage: { 'tool.ever': 0 } },
      ],
    },
  },
  {
    name: 'approve-after',
    summary: 'Has people agree to more than so many calls of a caller.',
    parameters: {
      calls: { type: 'integer', about: 'how many need no agreement' },
      per: { type: 'choice', about: 'since when they are counted', words: usagePeriods, preset: 'day' },
      of: { type: 'choice', about: 'what they are calls of', words: usageScopes, preset: 'all' },
    },
    draft: (given) => ({
      when: `usage.${given.text('of')}.${given.text('per')} >= ${given.number('calls')}`,
      action: ASK,
      message: `Somebody has to agree to more than ${given.number('calls')} calls per ${given.text('per')}`,
      instead: 'Fewer need no agreement.',
    }),
    example: {
      with: { calls: 100, per: 'day', of: 'server' },
      meets: [{ tool: 'search', usage: { 'server.day': 100 } }, { tool: 'search' }],
      passes: [{ tool: 'search', usage: { 'server.day': 99 } }],
    },
  },
  masking('mask-results', 'detectors', {
    summary: 'Hides what detectors find in results.',
    about: 'the detectors',
    instead: 'What no detector finds is shown.',
    example: { detectors: ['payment-card', 'iban'] },
  }),
  masking('mask-keys', 'keys', {
    summary: 'Hides the values of some JSON keys in results, at any depth.',
    about: 'the keys',
    instead: 'Other keys are shown.',
    example: { keys: ['email', 'phone'], strategy: 'hash' },
  }),
  {
    name: 'record-calls',
    summary: 'Says how much of calls is recorded.',
    parameters: {
      level: { type: 'choice', about: 'how much', words: recordLevels, preset: 'arguments' },
    },
    draft: (given) => ({
      action: { do: 'record', level: chosen(recordLevels, [given.text('level')])[0] ?? 'arguments' },
      message: 'Calls are recorded',
      instead: 'This rule refuses nothing.',
    }),
    example: {
      with: { level: 'full' },
      meets: [{ tool: 'pay' }],
      passes: [{ egress: { host: 'api.example.com', method: 'GET' } }],
    },
  },
  {
    name: 'alert-on-use',
    summary: 'Tells somebody when a tool is called.',
    parameters: {
      tools: { type: 'texts', about: 'the tools; `*` stands for any characters' },
      severity: { type: 'choice', about: 'how urgent it is', words: alertSeverities, preset: 'warning' },
    },
    draft: (given) => ({
      match: { tools: given.texts('tools') },
      action: { do: 'alert', severity: chosen(alertSeverities, [given.text('severity')])[0] ?? 'warning' },
      message: 'Somebody is told',
      instead: 'This rule refuses nothing.',
    }),
    example: {
      with: { tools: ['transfer_*'] },
      meets: [{ tool: 'transfer_money' }],
      passes: [{ tool: 'balance' }],
    },
  },
];
