/** How commands speak: one JSON value with `--json`, tables and sentences otherwise. Upstream text is never printed raw. */
import { stripVTControlCharacters, styleText } from 'node:util';
import { isAppError, toWire } from '../kernel/index.ts';
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
      const shown = json ? JSON.stringify(value) : text();
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

/** Text from outside made safe for a terminal: no escape sequences, no control characters, no direction overrides. */
export function printable(text: string): string {
  return stripVTControlCharacters(text).replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (char) =>
    char === '\t' ? ' ' : '�',
  );
}

export function when(at: number | null): string {
  return at === null ? '-' : new Date(at).toISOString().replace('T', ' ').slice(0, 19);
}

/** The error as the user sees it: what happened, and what to do next. Never a stack trace. */
export function renderError(error: unknown): string {
  const { message, hint } = toWire(error);
  return hint === undefined ? `error: ${message}` : `error: ${message}\nhint:  ${hint}`;
}

/** 0 done, 1 failed, 2 bad usage, 3 refused by policy. */
export function exitCodeOf(error: unknown): number {
  if (!isAppError(error)) return 1;
  if (error.kind === 'invalid') return 2;
  return error.kind === 'denied' ? 3 : 1;
}
