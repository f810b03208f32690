/**
 * What each caller has in flight, all its sessions and streams together: servers and memory are shared, so that one token
 * must not take what all the others need. A stream that broke, or a transport that answers elsewhere, costs its client
 * nothing to leave behind, and what was asked on it goes on.
 */
import { AppError, limits } from '../../kernel/index.ts';

interface Load {
  requests: number;
  chars: number;
}

export class CallerLoad {
  readonly #byCaller = new Map<string, Load>();

  /**
   * One more request.
   *
   * @param chars what is kept of it until it is answered, in UTF-16 units
   * @returns to be called once, when it is answered
   * @throws AppError `mcp_requests_too_many`
   */
  begin(caller: string, chars: number): () => void {
    const load = this.#byCaller.get(caller) ?? { requests: 0, chars: 0 };
    const isOver =
      load.requests >= limits.mcpRequestsPerCallerMax || load.chars > limits.mcpRequestCharsPerCallerMax;
    if (isOver) throw tooMany();
    load.requests += 1;
    load.chars += chars;
    this.#byCaller.set(caller, load);
    return () => {
      load.requests -= 1;
      load.chars -= chars;
      if (load.requests === 0) this.#byCaller.delete(caller);
    };
  }
}

const tooMany = (): AppError =>
  new AppError('mcp_requests_too_many', 'This caller has too many requests in flight.', {
    kind: 'limited',
    hint: 'Wait for some of them to be answered, or cancel them.',
  });
