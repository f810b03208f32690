/** Templates about what arguments say. */
import { listed } from '../decision.ts';
import { ARGUMENT, argument, decimal, deny, quoted, type Template } from './template.ts';

export const contents: readonly Template[] = [
  {
    name: 'block-keywords',
    summary: 'Refuses texts that hold one of some words, whatever their case and form.',
    parameters: { words: { type: 'texts', about: 'the words' }, argument: ARGUMENT },
    draft: (given) => ({
      when: `mentions(${argument(given.text('argument'))}, ${quoted(given.texts('words'))})`,
      action: deny,
      message: 'The text holds a word that is not allowed here',
      instead: `Leave out: ${listed(given.texts('words'))}.`,
    }),
    example: {
      with: { words: ['confidential', 'internal only'] },
      meets: [
        { args: { text: 'This is CONFIDENTIAL.' } },
        { args: { blocks: [{ text: 'ｉｎｔｅｒｎａｌ only' }] } },
        { args: { text: 'confi\u200bdential' } },
      ],
      passes: [{ args: { text: 'Confidentially yours' } }, { args: {} }],
    },
  },
  {
    name: 'max-length',
    summary: 'Refuses texts that are longer than a number of characters.',
    parameters: { characters: { type: 'integer', about: 'how many there may be' }, argument: ARGUMENT },
    draft: (given) => ({
      when: `characters(${argument(given.text('argument'))}) > ${given.number('characters')}`,
      action: deny,
      message: `The text is longer than ${given.number('characters')} characters`,
      instead: 'Send less of it.',
    }),
    example: {
      with: { characters: 10, argument: 'text' },
      meets: [{ args: { text: 'eleven char' } }, { args: { text: ['123456', '78901'] } }],
      passes: [{ args: { text: 'ten chars.' } }, { args: { other: 'much longer than that' } }],
    },
  },
  {
    name: 'required-prefix',
    summary: 'Refuses an argument that does not begin with one of some texts.',
    parameters: {
      argument: { type: 'text', about: 'the argument' },
      prefixes: { type: 'texts', about: 'what it may begin with' },
    },
    draft: (given) => {
      const value = argument(given.text('argument'));
      return {
        when: `type(${value}) != string || !${quoted(given.texts('prefixes'))}.exists(prefix, ${value}.startsWith(prefix))`,
        action: deny,
        message: `The argument ${given.text('argument')} does not begin as it should`,
        instead: `Let it begin with ${listed(given.texts('prefixes'))}.`,
      };
    },
    example: {
      with: { argument: 'title', prefixes: ['[bot] ', '[agent] '] },
      meets: [{ args: { title: 'Fix it' } }, { args: {} }, { args: { title: ['[bot] '] } }],
      passes: [{ args: { title: '[bot] Fix it' } }],
    },
  },
  {
    name: 'block-pattern',
    summary: 'Refuses texts in which a pattern (RE2) is found.',
    parameters: { pattern: { type: 'text', about: 'the pattern' }, argument: ARGUMENT },
    draft: (given) => ({
      when: `texts(${argument(given.text('argument'))}).exists(text, text.matches(${quoted(given.text('pattern'))}))`,
      action: deny,
      message: 'The text holds something that is not allowed here',
      instead: `Leave out what matches ${given.text('pattern')}.`,
    }),
    example: {
      with: { pattern: '(?i)project\\s+orion' },
      meets: [{ args: { text: 'about Project  Orion' } }, { args: { a: { b: ['PROJECT ORION'] } } }],
      passes: [{ args: { text: 'about the project' } }],
    },
  },
  {
    name: 'required-pattern',
    summary: 'Refuses an argument that a pattern (RE2) does not match as a whole.',
    parameters: {
      argument: { type: 'text', about: 'the argument' },
      pattern: { type: 'text', about: 'the pattern' },
    },
    draft: (given) => {
      const value = argument(given.text('argument'));
      return {
        when: `type(${value}) != string || !${value}.matches(${quoted(`\\A(?:${given.text('pattern')})\\z`)})`,
        action: deny,
        message: `The argument ${given.text('argument')} does not have the form that it should`,
        instead: `Let it match ${given.text('pattern')}.`,
      };
    },
    example: {
      with: { argument: 'ticket', pattern: '[A-Z]+-[0-9]+' },
      meets: [{ args: { ticket: 'see OPS-1' } }, { args: {} }, { args: { ticket: 'OPS-1\n' } }],
      passes: [{ args: { ticket: 'OPS-12' } }],
    },
  },
  {
    name: 'allow-values',
    summary: 'Refuses every value of an argument but some.',
    parameters: {
      argument: { type: 'text', about: 'the argument' },
      values: { type: 'texts', about: 'the values' },
    },
    draft: (given) => ({
      when: `!(${argument(given.text('argument'))} in ${quoted(given.texts('values'))})`,
      action: deny,
      message: `This value of ${given.text('argument')} is not allowed`,
      instead: `Allowed are ${listed(given.texts('values'))}.`,
    }),
    example: {
      with: { argument: 'environment', values: ['staging', 'test'] },
      meets: [{ args: { environment: 'production' } }, { args: {} }, { args: { environment: ['staging'] } }],
      passes: [{ args: { environment: 'staging' } }],
    },
  },
  {
    name: 'block-values',
    summary: 'Refuses some values of an argument, in any letter case.',
    parameters: {
      argument: { type: 'text', about: 'the argument' },
      values: { type: 'texts', about: 'the values' },
    },
    draft: (given) => ({
      when: `texts(${argument(given.text('argument'))}).exists(text, folded(text).trim() in ${quoted(given.texts('values').map((value) => value.normalize('NFKC').toLowerCase().trim()))})`,
      action: deny,
      message: `This value of ${given.text('argument')} is not allowed`,
      instead: `Any other than ${listed(given.texts('values'))} is allowed.`,
    }),
    example: {
      with: { argument: 'channel', values: ['#general', '#all-hands'] },
      meets: [{ args: { channel: '#General ' } }, { args: { channel: ['#ops', '#all-hands'] } }],
      passes: [{ args: { channel: '#ops' } }, { args: {} }],
    },
  },
  {
    name: 'max-items',
    summary: 'Refuses a list argument with more than a number of entries.',
    parameters: {
      argument: { type: 'text', about: 'the argument' },
      maximum: { type: 'integer', about: 'how many entries there may be' },
    },
    draft: (given) => {
      const value = argument(given.text('argument'));
      return {
        when: `${value} != null && size(${value}) > ${given.number('maximum')}`,
        action: deny,
        message: `The argument ${given.text('argument')} has too many entries`,
        instead: `At most ${given.number('maximum')} are allowed.`,
      };
    },
    example: {
      with: { argument: 'ids', maximum: 2 },
      meets: [{ args: { ids: [1, 2, 3] } }, { args: { ids: 3 } }],
      passes: [{ args: { ids: [1, 2] } }, { args: {} }],
    },
  },
  {
    name: 'max-amount',
    summary: 'Refuses an amount above a maximum; a text that is a number counts as one.',
    parameters: {
      argument: { type: 'text', about: 'the argument', preset: 'amount' },
      maximum: { type: 'number', about: 'the largest amount' },
    },
    draft: (given) => {
      const value = argument(given.text('argument'));
      return {
        when: `${value} != null && number(${value}) > ${decimal(given.number('maximum'))}`,
        action: deny,
        message: `The amount is above ${given.number('maximum')}`,
        instead: `Amounts up to ${given.number('maximum')} are allowed.`,
      };
    },
    example: {
      with: { maximum: 500 },
      meets: [{ args: { amount: 500.01 } }, { args: { amount: '1,000' } }, { args: { amount: 'all' } }],
      passes: [{ args: { amount: 500 } }, { args: { amount: '499.99' } }, { args: {} }],
    },
  },
  {
    name: 'no-past-dates',
    summary: 'Refuses a date that is over; a day is over when its last second is, in UTC.',
    parameters: { argument: { type: 'text', about: 'the argument' } },
    draft: (given) => {
      const value = argument(given.text('argument'));
      return {
        when: `${value} != null && moment(${value}) < now`,
        action: deny,
        message: `The argument ${given.text('argument')} is in the past`,
        instead: 'Choose a date to come.',
      };
    },
    example: {
      with: { argument: 'start' },
      meets: [
        { now: '2026-11-21T12:00:00Z', args: { start: '2026-11-20' } },
        { now: '2026-11-21T12:00:00Z', args: { start: 1_700_000_000 } },
        { now: '2026-11-21T12:00:00Z', args: { start: 'yesterday' } },
      ],
      passes: [
        { now: '2026-11-21T12:00:00Z', args: { start: '2026-11-21' } },
        { now: '2026-11-21T12:00:00Z', args: { start: '2026-11-21T15:30:00+01:00' } },
        { now: '2026-11-21T12:00:00Z', args: {} },
      ],
    },
  },
];
