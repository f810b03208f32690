/** What a client is told of a server that is gone: why, which limit it met if any, and its last words. */
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { type CellId, silentLog, systemClock } from '../../src/kernel/index.ts';
import type { UpstreamExit, UpstreamTransport } from '../../src/mcp/index.ts';
import { LineLink } from '../../src/mcp/upstream/line-link.ts';
import { ownRequest } from '../../src/mcp/protocol/message.ts';
import { Turns } from '../../src/mcp/upstream/turns.ts';
import { UpstreamConnection } from '../../src/mcp/upstream/upstream-connection.ts';

async function failureAfter(exit: UpstreamExit, stderr: string): Promise<unknown> {
  const { promise: exited, resolve } = Promise.withResolvers<UpstreamExit>();
  const transport: UpstreamTransport = {
    kind: 'lines',
    cell: 'cell_a' as CellId,
    input: new PassThrough(),
    output: new PassThrough(),
    stderrTail: () => stderr,
    exited,
    close: () => Promise.resolve(),
  };
  const connection = new UpstreamConnection({
    transport,
    link: new LineLink(transport, {
      slug: 'notes',
      turns: new Turns(systemClock),
      clock: systemClock,
      log: silentLog,
    }),
    slug: 'notes',
    clock: systemClock,
    log: silentLog,
    version: '9',
    notified: () => undefined,
  });
  const { response } = connection.request({ message: ownRequest('tools/list', '{}'), owner: null });
  resolve(exit);
  return response.catch((error: unknown) => error);
}

describe('a server that is gone', () => {
  const limited: UpstreamExit = {
    code: null,
    signal: 'SIGKILL',
    reason: 'killed: memory limit 512 MiB',
    limit: 'limits.memoryMiB',
  };

  it.each<[string, UpstreamExit, string, string | undefined]>([
    [
      'at a limit',
      limited,
      'loading\n',
      'The limit is `limits.memoryMiB` of its manifest. Its last output: loading',
    ],
    ['at a limit, without a word', limited, '', 'The limit is `limits.memoryMiB` of its manifest.'],
    [
      'by itself',
      { code: 3, signal: null, reason: 'it ended with code 3' },
      'no key',
      'Its last output: no key',
    ],
    ['by itself, without a word', { code: 3, signal: null, reason: 'it ended with code 3' }, '', undefined],
  ])('%s', async (_how, exit, stderr, hint) => {
    expect(await failureAfter(exit, stderr)).toMatchObject({
      code: 'upstream_exited',
      message: `The server "notes" stopped: ${exit.reason}.`,
      hint,
    });
  });
});
