/**
 * A load generator for one request over HTTP/1.1 and TLS: as many connections as asked for, each sending the next
 * request when the answer to the last one is whole, on the same connection or on a new one each time. Plain
 * JavaScript on raw sockets, reading into one buffer per connection, so that it costs little itself: bytes are
 * counted, never kept. Runs each job that its parent sends, and tells what it saw.
 */
import { createHistogram } from 'node:perf_hooks';
import { connect, createSecureContext } from 'node:tls';
import { Answers } from './answers.ts';

const READ_BYTES = 64 * 1_024;
/** Microseconds: ten minutes. */
const LATENCY_MAX = 600_000_000;
const FAILURES_MAX = 200;
const OK = 200;
/** After the end of a job: what has no answer then has failed. */
const STUCK_MS = 60_000;

/** One job. `places` are taken in turn; `pauseMs` is waited between two requests of one connection. */
class Run {
  #job;
  #places;
  #histogram = createHistogram({ lowest: 1, highest: LATENCY_MAX, figures: 3 });
  /** Of new connections: few enough to be told one by one, so that several generators can be put together. */
  #times = [];
  #requests = 0;
  #bytes = 0;
  #failures = 0;
  #lastFailure = '';
  #next = 0;
  #end = 0;

  constructor(job) {
    this.#job = job;
    this.#places = job.places.map(({ host, port, ca, request }) => ({
      address: { host, port },
      /*
       * One group, so that a key share costs the same whatever the server is built on. With many new connections it is
       * the servers that should be busy: then certificates are not verified, as other load generators do not either.
       */
      secureContext: createSecureContext({ ...(job.fresh ? {} : { ca }), ecdhCurve: 'X25519' }),
      request: Buffer.from(request, 'latin1'),
    }));
  }

  async measure() {
    const { connections, fresh, ms } = this.#job;
    const slots = Array.from({ length: connections }, () => ({
      socket: null,
      answers: null,
      request: null,
      buffer: Buffer.allocUnsafeSlow(READ_BYTES),
      sent: 0,
      answered: null,
      failed: null,
      giveUp: null,
    }));
    if (!fresh) await Promise.all(slots.map((slot) => this.#connect(slot)));
    const began = performance.now();
    this.#end = began + ms;
    const used = slots.map((slot) => this.#use(slot));
    const guard = setTimeout(() => {
      for (const slot of slots) slot.giveUp?.();
    }, ms + STUCK_MS);
    await Promise.all(used);
    clearTimeout(guard);
    const seconds = (performance.now() - began) / 1_000;
    if (this.#requests === 0) throw new Error(this.#lastFailure || 'no answer');
    const histogram = this.#histogram;
    return {
      requests: this.#requests,
      bytes: this.#bytes,
      failures: this.#failures,
      seconds,
      times: this.#times,
      p50: histogram.percentile(50) / 1_000,
      p99: histogram.percentile(99) / 1_000,
    };
  }

  /** Requests on one slot until the time is over. */
  #use(slot) {
    return new Promise((resolve, reject) => {
      const next = () => {
        if (performance.now() >= this.#end) {
          slot.failed = null;
          slot.giveUp = null;
          slot.socket?.destroy();
          resolve();
        } else if (this.#job.fresh || slot.socket === null) {
          slot.sent = performance.now();
          this.#connect(slot).then(send, failed);
        } else {
          slot.sent = performance.now();
          send();
        }
      };
      slot.giveUp = () => {
        slot.failed = null;
        slot.giveUp = null;
        slot.socket?.destroy();
        this.#failures += 1;
        this.#lastFailure = 'no answer';
        resolve();
      };
      const send = () => {
        slot.answered = answered;
        slot.failed = failed;
        slot.socket.write(slot.request);
      };
      const answered = () => {
        const us = Math.round((performance.now() - slot.sent) * 1_000);
        this.#histogram.record(Math.max(1, us));
        if (this.#job.fresh) this.#times.push(us);
        this.#requests += 1;
        this.#bytes += slot.answers.bytes;
        slot.answers.bytes = 0;
        if (this.#job.fresh) {
          slot.failed = null;
          slot.socket.destroy();
          slot.socket = null;
        }
        if (this.#job.pauseMs > 0) setTimeout(next, this.#job.pauseMs);
        else next();
      };
      const failed = (error) => {
        slot.failed = null;
        slot.socket?.destroy();
        slot.socket = null;
        this.#failures += 1;
        this.#lastFailure = String(error);
        if (this.#failures > FAILURES_MAX) reject(error);
        else setTimeout(next, 10);
      };
      next();
    });
  }

  #connect(slot) {
    const { address, secureContext, request } = this.#places[this.#next % this.#places.length];
    this.#next += 1;
    const answers = new Answers();
    slot.answers = answers;
    slot.request = request;
    return new Promise((resolve, reject) => {
      const socket = connect({
        ...address,
        servername: this.#job.servername,
        secureContext,
        rejectUnauthorized: !this.#job.fresh,
        ALPNProtocols: ['http/1.1'],
        onread: {
          buffer: slot.buffer,
          callback: (length, buffer) => {
            try {
              if (!answers.push(buffer, length)) return true;
              if (answers.status !== OK) throw new Error(`answered ${answers.head.slice(0, 400)}`);
              slot.answered();
            } catch (error) {
              socket.destroy(error);
            }
            return true;
          },
        },
      });
      slot.socket = socket;
      slot.failed = reject;
      socket.setNoDelay(true);
      socket.once('secureConnect', resolve);
      socket.on('error', (error) => slot.socket === socket && slot.failed?.(error));
      socket.on('close', () => slot.socket === socket && slot.failed?.(new Error('closed')));
    });
  }
}

process.on('message', (job) => {
  new Run(job).measure().then(
    (result) => process.send({ result }),
    (error) => process.send({ error: String(error) }),
  );
});
process.once('disconnect', () => process.exit(0));
