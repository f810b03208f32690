/**
 * What became of a button that somebody pressed, told at the address that Slack gave with it. That address is a secret, is good
 * for half an hour, and has to be Slack's: a message that names another one gets no answer. The question itself is taken care
 * of by `slack-board.ts`; so this is tried a few times, and given up.
 */
import { AppError, limits, type JsonObject, type Log, Secret } from '../../kernel/index.ts';
import type { HttpWay } from '../delivery/http-way.ts';
import { secretAddress } from '../delivery/post-target.ts';
import { SLACK_STREAM, type SlackPlace } from './slack-place.ts';

export interface SlackAnswersDeps {
  readonly way: Pick<HttpWay, 'post'>;
  readonly place: Pick<SlackPlace, 'hears'>;
  /** Whether nothing may leave now. */
  readonly held: () => Promise<boolean>;
  readonly log: Log;
}

export class SlackAnswers {
  readonly #deps: SlackAnswersDeps;
  readonly #stop = new AbortController();

  constructor(deps: SlackAnswersDeps) {
    this.#deps = deps;
  }

  /** Nobody waits for it. @param address that Slack gave */
  answered(id: string, address: string, message: JsonObject): void {
    void this.#send(id, address, message);
  }

  close(): void {
    this.#stop.abort();
  }

  async #send(id: string, address: string, message: JsonObject): Promise<void> {
    const { way, place, held, log } = this.#deps;
    const body = Buffer.from(JSON.stringify(message));
    const { signal } = this.#stop;
    for (let tries = 1; !signal.aborted; tries += 1) {
      try {
        if (await held()) throw stopped();
        const { shown, delivery } = secretAddress(Secret.fromString(address), 'the answer');
        if (!(await place.hears(shown))) throw elsewhere(shown.host);
        const aborts = AbortSignal.any([signal, AbortSignal.timeout(limits.deliveryTimeoutMs)]);
        await way.post({ stream: SLACK_STREAM, url: shown, secrets: [delivery], headers: [], body }, aborts);
        return;
      } catch (error) {
        const why = error instanceof AppError ? error.code : String(error);
        log.warn('approval.message_failed', { approval: id, tries, why });
        const isFinal = error instanceof AppError && error.kind === 'denied';
        if (isFinal || tries >= limits.approvalMessageTriesMax) return;
        await pause(limits.approvalMessageBackoffMs * 2 ** (tries - 1), signal);
      }
    }
  }
}

/** Ends early where the signal does, and keeps no process alive. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms).unref();
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

const stopped = (): AppError =>
  new AppError('kill_active', 'The kill switch is set: nothing leaves.', { kind: 'denied' });

const elsewhere = (host: string): AppError =>
  new AppError('approval_answer_elsewhere', `Slack does not hear answers at ${host}.`, { kind: 'denied' });
