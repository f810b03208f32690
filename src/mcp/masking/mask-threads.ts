/**
 * Threads that mask what is large, so that the one that serves everybody does not: few, started when they are needed, ended
 * when they have nothing to do. What waits for them has a bound, and a time. Whatever goes wrong, the message is kept back: none
 * is ever let through as it came.
 */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { AppError, limits } from '../../kernel/index.ts';
import type { LargeMessage, MaskedMessage } from '../ports/masks.ts';
import { maskFailed, tooLarge } from './masked-message.ts';
import type { MaskRecipe } from './mask-recipe.ts';

export interface MaskTask extends LargeMessage {
  readonly recipe: MaskRecipe;
}

export type ThreadAnswer =
  | ({ readonly kind: 'masked' } & MaskedMessage)
  | { readonly kind: 'too_large' | 'failed'; readonly why: string };

export interface MaskThreadLimits {
  readonly threads: number;
  /** From when it is given to when it is masked. */
  readonly deadlineMs: number;
  /** Of messages that no thread has begun with, together. */
  readonly waitingCharsMax: number;
  readonly idleMs: number;
}

const USUAL: MaskThreadLimits = {
  threads: Math.min(limits.maskingThreadsMax, Math.max(1, availableParallelism() - 1)),
  deadlineMs: limits.maskingApartMs,
  waitingCharsMax: limits.maskingApartWaitingCharsMax,
  idleMs: limits.maskingThreadIdleMs,
};

interface Job {
  readonly task: MaskTask;
  readonly resolve: (masked: MaskedMessage) => void;
  readonly reject: (error: AppError) => void;
  readonly deadline: NodeJS.Timeout;
}

interface Thread {
  readonly worker: Worker;
  job: Job | null;
  /** Ends it when it was idle for long. */
  idle: NodeJS.Timeout | null;
}

const isSource = import.meta.url.endsWith('.ts');
const PROGRAM = new URL(isSource ? './mask-thread.ts' : './mask-thread.js', import.meta.url);

export class MaskThreads {
  readonly #allowed: MaskThreadLimits;
  readonly #program: URL;
  readonly #threads = new Set<Thread>();
  readonly #waiting: Job[] = [];
  #waitingChars = 0;
  #closed = false;

  constructor(allowed: Partial<MaskThreadLimits> = {}, program: URL = PROGRAM) {
    this.#allowed = { ...USUAL, ...allowed };
    this.#program = program;
  }

  /** @throws AppError `mask_answer_too_large`, `mask_busy`, `mask_failed` */
  mask(task: MaskTask): Promise<MaskedMessage> {
    const { length } = task.text;
    if (this.#closed || this.#waitingChars + length > this.#allowed.waitingCharsMax)
      return Promise.reject(tooBusy());
    const { promise, resolve, reject } = Promise.withResolvers<MaskedMessage>();
    const deadline = setTimeout(() => this.#late(job), this.#allowed.deadlineMs);
    const job: Job = { task, resolve, reject, deadline };
    this.#waiting.push(job);
    this.#waitingChars += length;
    this.#next();
    return promise;
  }

  close(): void {
    this.#closed = true;
    for (const job of this.#waiting.splice(0)) this.#failed(job, tooBusy());
    for (const thread of this.#threads) this.#end(thread, tooBusy());
  }

  #next(): void {
    while (this.#waiting.length > 0) {
      const free = [...this.#threads].find(({ job }) => job === null);
      if (free === undefined && this.#threads.size >= this.#allowed.threads) return;
      const job = this.#waiting.shift();
      if (job === undefined) return;
      this.#waitingChars -= job.task.text.length;
      const thread = free ?? this.#startFor(job);
      if (thread === null) continue;
      if (thread.idle !== null) clearTimeout(thread.idle);
      thread.idle = null;
      thread.job = job;
      thread.worker.ref();
      thread.worker.postMessage(job.task, []);
    }
  }

  /** Null where none can be started, as where the machine has no more: what it was for fails, and nothing else. */
  #startFor(job: Job): Thread | null {
    try {
      return this.#start();
    } catch (error) {
      this.#failed(job, maskFailed(error));
      return null;
    }
  }

  #start(): Thread {
    const worker = new Worker(this.#program, {
      name: 'masking',
      resourceLimits: { maxOldGenerationSizeMb: limits.maskingThreadMemoryMiB },
    });
    const thread: Thread = { worker, job: null, idle: null };
    this.#threads.add(thread);
    worker.on('message', (answer: ThreadAnswer) => this.#answered(thread, answer));
    worker.on('error', (error) => this.#end(thread, maskFailed(error)));
    worker.once('exit', (code) => this.#end(thread, maskFailed(new Error(`the thread ended with ${code}`))));
    return thread;
  }

  #answered(thread: Thread, answer: ThreadAnswer): void {
    const { job } = thread;
    if (job === null) return;
    thread.job = null;
    clearTimeout(job.deadline);
    if (answer.kind === 'masked') job.resolve(answer);
    else job.reject(answer.kind === 'too_large' ? tooLarge() : maskFailed(new Error(answer.why)));
    thread.worker.unref();
    thread.idle = setTimeout(() => this.#end(thread, tooBusy()), this.#allowed.idleMs).unref();
    this.#next();
  }

  #late(job: Job): void {
    const index = this.#waiting.indexOf(job);
    if (index >= 0) {
      this.#waiting.splice(index, 1);
      this.#waitingChars -= job.task.text.length;
      return this.#failed(job, tooBusy());
    }
    const thread = [...this.#threads].find((other) => other.job === job);
    if (thread !== undefined) this.#end(thread, maskFailed(new Error('it takes too long')));
  }

  /** The thread is gone, or has to go; what it was at fails. */
  #end(thread: Thread, why: AppError): void {
    if (!this.#threads.delete(thread)) return;
    const { worker, job, idle } = thread;
    if (idle !== null) clearTimeout(idle);
    if (job !== null) this.#failed(job, why);
    worker.unref();
    worker.terminate().catch(() => undefined);
    if (!this.#closed) this.#next();
  }

  #failed(job: Job, why: AppError): void {
    clearTimeout(job.deadline);
    job.reject(why);
  }
}

const tooBusy = (): AppError =>
  new AppError(
    'mask_busy',
    'Too much is being looked through for what rules mask, so the answer is kept back.',
    {
      kind: 'unavailable',
      hint: 'Ask again in a while, or for less.',
    },
  );
