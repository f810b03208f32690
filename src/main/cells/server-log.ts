/** What a server wrote to stderr: the last lines of each, bounded, made harmless, with followers. */
import type { Readable } from 'node:stream';
import { printable } from '../../cli/index.ts';
import { limits } from '../../kernel/index.ts';

export interface ServerLog {
  lines(): readonly string[];
  follow(onLine: (line: string) => void): () => void;
  /** Takes over a cell's stderr. @returns the last lines of this cell alone, for the error when it dies */
  read(stderr: Readable): () => string;
}

export function createServerLog(): ServerLog {
  const kept: string[] = [];
  const followers = new Set<(line: string) => void>();

  const add = (raw: string): string => {
    const line = printable(raw.slice(0, limits.serverLogLineCharsMax));
    kept.push(line);
    if (kept.length > limits.serverLogLinesMax) kept.shift();
    for (const follower of followers) follower(line);
    return line;
  };

  return {
    lines: () => [...kept],
    follow(onLine) {
      followers.add(onLine);
      return () => followers.delete(onLine);
    },
    read(stderr) {
      const tail: string[] = [];
      let rest = '';
      const take = (raw: string): void => {
        tail.push(add(raw));
        if (tail.length > limits.cellStderrTailLines) tail.shift();
      };
      stderr.setEncoding('utf8');
      stderr.on('data', (text: string) => {
        const parts = (rest + text).split('\n');
        rest = parts.pop() ?? '';
        for (const part of parts) take(part);
        // A line without an end must not grow without one.
        if (rest.length > limits.serverLogLineCharsMax) {
          take(rest);
          rest = '';
        }
      });
      stderr.on('error', () => undefined);
      stderr.on('end', () => {
        if (rest !== '') take(rest);
      });
      return () => tail.join('\n');
    },
  };
}
