/**
 * A client over newline-delimited JSON-RPC: the process's own stdin and stdout, or a socket that a
 * `sallyport stdio` is at the other end of. Nothing but protocol is ever written.
 */
import type { Duplex } from 'node:stream';
import { limits } from '../../kernel/index.ts';
import { faultText, readClientInput, tooLarge } from '../protocol/client-input.ts';
import type { ClientChannel } from './client-channel.ts';
import type { ClientSession } from './client-session.ts';
import type { StdioSession } from '../front-contract.ts';
import { gather } from '../upstream/gathered-writes.ts';
import { LineReader } from '../upstream/lines.ts';
import { failureText } from '../protocol/rpc-error.ts';

/** @param start makes the session for the channel that it is handed */
export function serveStdio(
  duplex: Duplex,
  start: (channel: ClientChannel) => ClientSession,
): { readonly session: StdioSession; readonly client: ClientSession } {
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  let open = true;
  let inputEnded = false;

  const write = (text: string): void => {
    if (!open) return;
    if (duplex.writableLength > limits.mcpSendBufferBytesMax) {
      close();
      return;
    }
    duplex.write(`${text}\n`);
  };
  const client = start({
    answer(_idText, text) {
      if (text !== null) write(text);
      closeWhenDone();
    },
    send(text) {
      gather(duplex);
      write(text);
    },
    reachable: () => open && !inputEnded,
  });
  const reader = new LineReader(limits.mcpMessageBytesMax, {
    line(text) {
      const input = readClientInput(text);
      if (!input.ok) write(faultText(input.error));
      else for (const message of input.value.messages) client.receive(message);
    },
    broken: (reason) =>
      write(
        reason === 'too_long'
          ? failureText(null, tooLarge())
          : faultText({ reason: 'not_json', detail: 'not UTF-8', idText: null }),
      ),
  });

  function close(): void {
    if (!open) return;
    open = false;
    client.close();
    duplex.end();
    resolve();
  }

  /** After the client's last byte its requests are still answered, so that `printf … | sallyport stdio` works. */
  function closeWhenDone(): void {
    if (inputEnded && client.busy === 0) close();
  }

  duplex.on('data', (chunk: Buffer) => reader.push(chunk));
  duplex.once('end', () => {
    reader.end();
    inputEnded = true;
    closeWhenDone();
  });
  duplex.once('close', close);
  duplex.on('error', close);
  const session: StdioSession = {
    closed,
    async close() {
      close();
      await closed;
    },
  };
  return { session, client };
}
