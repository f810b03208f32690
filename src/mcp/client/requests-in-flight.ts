/** A client's requests that are not answered yet, and which server each went to. */
import type { AppError } from '../../kernel/index.ts';
import { isSevere } from '../protocol/log-levels.ts';
import type { Named } from '../gate/named.ts';
import type { TapedRequest } from '../ports/recorder.ts';
import type { ProfileServer } from '../ports/upstreams.ts';
import type { RequestControl } from './request-control.ts';

interface InFlight {
  readonly taped: TapedRequest | undefined;
  readonly control: RequestControl;
  /** The server that it went to; null while that is open. */
  server: ProfileServer | null;
  /** What it is about there; null: nothing that is recorded. */
  about: Named | null;
  /** Least severe log level that this very request asked for, as a stateless one may. */
  logLevel: string | null;
}

export class RequestsInFlight {
  readonly #entries = new Map<string, InFlight>();

  get size(): number {
    return this.#entries.size;
  }

  /** @param idText as JSON */
  get(idText: string): InFlight | undefined {
    return this.#entries.get(idText);
  }

  begin(idText: string, control: RequestControl, taped: TapedRequest | undefined): void {
    this.#entries.set(idText, { control, taped, server: null, about: null, logLevel: null });
  }

  end(idText: string): void {
    this.#entries.delete(idText);
  }

  cancelAll(why: AppError): void {
    for (const { control } of this.#entries.values()) control.cancel(why);
  }

  /** The one request that this server is busy with; null when there is none, or several. */
  onlyAt(slug: string): string | null {
    let found: string | null = null;
    for (const [idText, entry] of this.#entries) {
      if (entry.server?.slug !== slug) continue;
      if (found !== null) return null;
      found = idText;
    }
    return found;
  }

  /** Whether a request at this server asked for messages of this level. @param known the only one that it may be; null: any */
  wantLog(slug: string, level: string | null, known: string | null): boolean {
    for (const [idText, entry] of this.#entries) {
      if (entry.server?.slug !== slug || (known !== null && idText !== known)) continue;
      if (entry.logLevel !== null && isSevere(level, entry.logLevel)) return true;
    }
    return false;
  }
}
