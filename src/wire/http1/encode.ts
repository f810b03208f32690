/** Writing HTTP/1.1. Everything written was checked when it was read, or is text of this project. */
import type { Fields } from './fields.ts';

/** Heads and trailers are Latin-1: one character per byte. */
export const HEAD_ENCODING = 'latin1';

/** The field lines, each with its CRLF. */
export function encodeFields(fields: Fields): string {
  let text = '';
  for (let index = 0; index < fields.length; index += 1) {
    text += `${fields.names[index]}: ${fields.values[index]}\r\n`;
  }
  return text;
}

export const encodeRequestHead = (method: string, target: string, fields: Fields): string =>
  `${method} ${target} HTTP/1.1\r\n${encodeFields(fields)}\r\n`;

export const encodeResponseHead = (status: number, phrase: string, fields: Fields): string =>
  `HTTP/1.1 ${status} ${phrase}\r\n${encodeFields(fields)}\r\n`;

/** What goes before a chunk's data. @param bytes above 0 */
export const encodeChunkSize = (bytes: number): string => `${bytes.toString(16)}\r\n`;

/** What goes after a chunk's data. */
export const CHUNK_END = '\r\n';

/** The last chunk with its trailer section. */
export const encodeLastChunk = (trailers: Fields): string =>
  trailers.length === 0 ? '0\r\n\r\n' : `0\r\n${encodeFields(trailers)}\r\n`;
