/** How commands speak: one JSON value with `--json`, tables and sentences otherwise. Upstream text is never printed raw. */
import { styleText } from 'node:util';
import { isAppError, showUnseen, toWire } from '../kernel/index.ts';
import type { CliHost } from './host.ts';

type Style = Parameters<typeof styleText>[0];

export interface Output {
  readonly json: boolean;
  /** Prints `value` with `--json`, else what `text` gives. */
  show(value: unknown, text: () => string): void;
  /** One line to stdout. */
  line(text: string): void;
  /** A remark for a person, on stderr; silent with `--json`. */
  note(text: string): void;
  paint(style: Style, text: string): string;
}

export function createOutput(host: Pick<CliHost, 'stdout' | 'stderr'>, json: boolean): Output {
  const colour = host.stdout.isTTY === true && !json;
  const output: Output = {
    json,
    show(value, text) {
      const shown = json ? printableJson(value) : text();
      if (shown !== '') output.line(shown);
    },
    line: (text) => void host.stdout.write(`${text}\n`),
    note(text) {
      if (!json) host.stderr.write(`${text}\n`);
    },
    paint: (style, text) => (colour ? styleText(style, text, { validateStream: false }) : text),
  };
  return output;
}

/** Columns padded to their widest cell, two spaces apart, with a header. Empty without rows. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows.map((row) => row.map(printable))];
  const widths = header.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/**
 * Escape sequences, so that their parameters do not stay behind when the escape goes: strings up to their terminator
 * (OSC, DCS, APC, PM, SOS), CSI, and two-character ones. Every part ends where the next can begin: linear in time,
 * which Node's own `stripVTControlCharacters` is not.
 */
const ESCAPES =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this removes
  /(?:\u001b[\]PX^_]|[\u0090\u0098\u009d-\u009f])[^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c)|(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]|\u001b[ -/]*[0-~]/g;

/**
 * Text from outside made safe for a terminal: no escape sequences, and nothing else that nobody would see. An escape sequence takes
 * what stands in it with it: what somebody decides by, and what is on record, is for `spelledOut`.
 */
export function printable(text: string): string {
  return showUnseen(text.replaceAll(ESCAPES, ''), (char) => (char === '\t' ? ' ' : '�'));
}

/** The same for text of several lines. */
export const printableLines = (text: string): string => text.split('\n').map(printable).join('\n');

/** The same with nothing left out: what nobody would see is written as JSON escapes it. A JSON text means the same then. */
export const spelledOut = (text: string): string =>
  showUnseen(text, (char) =>
    [...Array(char.length).keys()]
      .map((at) => `\\u${char.charCodeAt(at).toString(16).padStart(4, '0')}`)
      .join(''),
  );

/** JSON whose every character can be seen: what a terminal might obey is escaped. The value is the same. */
export const printableJson = (value: unknown): string => spelledOut(JSON.stringify(value));

/** @param at milliseconds since the Unix epoch; what no calendar holds is shown as it is */
export function when(at: number | null): string {
  if (at === null) return '-';
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? String(at) : date.toISOString().replace('T', ' ').slice(0, 19);
}

/** The error as the user sees it: what happened, and what to do next. Never a stack trace. */
export function renderError(error: unknown): string {
  const { message, hint } = toWire(error);
  // Lines that a server wrote stand apart from those that are ours.
  const indented = (text: string): string => printableLines(text).replaceAll('\n', '\n       ');
  return hint === undefined
    ? `error: ${indented(message)}`
    : `error: ${indented(message)}\nhint:  ${indented(hint)}`;
}

/** 0 done, 1 failed, 2 bad usage, 3 refused by policy. */
export function exitCodeOf(error: unknown): number {
  if (!isAppError(error)) return 1;
  if (error.kind === 'invalid') return 2;
  return error.kind === 'denied' ? 3 : 1;
}
