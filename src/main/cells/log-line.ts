/**
 * One line of a server's log, as kept on disk: `TIME CELL | TEXT` for what the server wrote, `TIME CELL * TEXT` for
 * what Sallyport says of its cell. Time, cell and mark are the gateway's, and the text holds no end of a line: no
 * server can write a line that looks like another's, or like the gateway's. Pure.
 */
import type { LogLine } from '../../api/index.ts';

const MARKS = { server: '|', sallyport: '*' } as const;
const LINE = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) ([a-z]+_[A-Za-z0-9]+) ([|*]) (.*)$/;

/** @param line its text already without control characters */
export const formatLogLine = ({ at, cell, from, text }: LogLine): string =>
  `${new Date(at).toISOString()} ${cell} ${MARKS[from]} ${text}\n`;

/** @returns null for what is no such line: the rest of one that was being written when the machine stopped */
export function parseLogLine(line: string): LogLine | null {
  const [, time = '', cell = '', mark, text = ''] = LINE.exec(line) ?? [];
  if (mark === undefined) return null;
  return { at: Date.parse(time), cell, from: mark === MARKS.server ? 'server' : 'sallyport', text };
}
