/**
 * What a ready rule is: typed parameters, and how they become an ordinary rule. A template can do nothing that a rule
 * written by hand cannot.
 */
import { parseHostname } from '../../wire/index.ts';
import type { Action, Match } from '../rules/types.ts';

type ParameterType = 'text' | 'texts' | 'integer' | 'number' | 'choice' | 'choices';

export interface Parameter {
  readonly type: ParameterType;
  /** What it is for, as a clause. */
  readonly about: string;
  /** Taken where it is absent; a parameter without one has to be given. */
  readonly preset?: ParameterValue;
  /** Of `choice` and `choices`. */
  readonly words?: readonly string[];
  /** What each of its texts has to be, where another one would match nothing. */
  readonly form?: Form;
}

interface Form {
  readonly expected: string;
  fits(text: string): boolean;
}

export type ParameterValue = string | number | readonly string[];
export type ParameterValues = Readonly<{ [name: string]: ParameterValue }>;

/** What a template becomes. */
export interface Draft {
  /** Beside what the rule says itself. */
  readonly match?: Match;
  readonly when?: string;
  readonly action: Action;
  readonly message: string;
  readonly instead: string;
}

/** What a request is in an example. */
export interface Sample {
  readonly tool?: string;
  readonly args?: { readonly [name: string]: unknown };
  readonly annotations?: { readonly [name: string]: unknown };
  readonly user?: string;
  readonly agent?: string;
  readonly clientIp?: string;
  /** Calls that its caller made before, by `tool.day`; absent: nobody counted. */
  readonly usage?: { readonly [name: string]: number };
  /** RFC 3339. */
  readonly now?: string;
  /** A request that a server sends, in place of a call. */
  readonly egress?: {
    readonly host: string;
    readonly method: string;
    readonly path?: string;
    readonly bytes?: number;
    readonly tools?: readonly string[];
  };
}

interface Example {
  readonly with: ParameterValues;
  /** Requests that the rule is about. */
  readonly meets: readonly Sample[];
  readonly passes: readonly Sample[];
}

export interface Template {
  readonly name: string;
  /** What it does, as a sentence. */
  readonly summary: string;
  readonly parameters: { readonly [name: string]: Parameter };
  readonly example: Example;
  draft(values: ReadParameters): Draft;
}

/** Values that were checked against what the template declares. */
export class ReadParameters {
  readonly #values: ParameterValues;

  constructor(values: ParameterValues) {
    this.#values = values;
  }

  text(name: string): string {
    return String(this.#values[name] ?? '');
  }

  texts(name: string): readonly string[] {
    const value = this.#values[name];
    if (value === undefined) return [];
    return typeof value === 'object' ? value : [String(value)];
  }

  number(name: string): number {
    return Number(this.#values[name]);
  }
}

/** As a condition writes it. The escapes of JSON are those of CEL. */
export const quoted = (value: string | readonly string[]): string =>
  typeof value === 'string'
    ? JSON.stringify(value)
    : `[${value.map((one) => JSON.stringify(one)).join(', ')}]`;

/** A number as CEL takes it for a double. */
export const decimal = (value: number): string => (Number.isInteger(value) ? `${value}.0` : String(value));

const TIME = /^(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00)$/;
const DAY = /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/;

/** Compared as they are written, letter by letter. */
export const timeForm: Form = { expected: 'a time like 09:30', fits: (text) => TIME.test(text) };
export const dayForm: Form = {
  expected: 'a day like 2026-12-05',
  fits: (text) => DAY.test(text) && !Number.isNaN(Date.parse(text)),
};
export const domainForm: Form = {
  expected: 'a domain like example.com, to which belongs what is below it',
  fits: (text) => parseHostname(text.trim()).ok,
};
export const plainForm: Form = {
  expected: 'a name without `*`, which stands for nothing here',
  fits: (text) => !text.includes('*'),
};

/** All arguments, or the named one. */
export const argument = (path: string): string => (path === '' ? 'args' : `at(args, ${quoted(path)})`);

/** Several of them, as one value. */
export const argumentList = (paths: readonly string[]): string => `[${paths.map(argument).join(', ')}]`;

export const ARGUMENT: Parameter = {
  type: 'text',
  about: 'the argument it looks at, `message.body` for one within another; all of them where it is absent',
  preset: '',
};

export const NAMED_ARGUMENT = (preset: string): Parameter => ({
  type: 'text',
  about: 'the argument it looks at',
  preset,
});

export const deny = { do: 'deny' } as const;
