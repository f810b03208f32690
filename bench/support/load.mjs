/**
 * A load generator for one request over HTTP/1.1 and TLS: as many connections as asked for, each sending the next
 * request when the answer to the last one is whole, on the same connection or on a new one each time. Plain
 * JavaScript on raw sockets, reading into one buffer per connection, so that it costs little itself: bytes are
 * counted, never kept. Runs each job that its parent sends, and tells what it saw.
 */
import { createHistogram } from 'node:perf_hooks';
import { connect, createSecureContext } from 'node:tls';

const LENGTH = /\r\ncontent-length: (\d+)\r\n/i;
const CHUNKED = /\r\ntransfer-encoding: chunked\r\n/i;
const READ_BYTES = 64 * 1_024;
/** Microseconds: ten minutes. */
const LATENCY_MAX = 600_000_000;
const FAILURES_MAX = 200;
const LF = 10;
const HEAD = 'head';
const BODY = 'body';
const SIZE = 'size';
const DATA = 'data';
const LAST = 'last';

/** Finds the ends of answers. `bytes` is what their bodies had. */
class Answers {
  bytes = 0;
  #state = HEAD;
  #text = '';
  #left = 0;

  /** Takes bytes; true when an answer is whole. What follows an answer was not asked for. */
  push(buffer, length) {
    let at = 0;
    while (at < length) {
      if (this.#state === HEAD) {
        const before = this.#text.length;
        this.#text += buffer.latin1Slice(at, length);
        const end = this.#text.indexOf('\r\n\r\n');
        if (end < 0) return false;
        at += end + 4 - before;
        this.#head(this.#text.slice(0, end + 2));
        this.#text = '';
        if (this.#state === BODY && this.#left === 0) return this.#whole(at, length);
      } else if (this.#state === BODY || this.#state === DATA) {
        const taken = Math.min(this.#left, length - at);
        at += taken;
        this.#left -= taken;
        if (this.#left > 0) return false;
        if (this.#state === BODY) return this.#whole(at, length);
        this.#state = SIZE;
      } else {
        const end = buffer.indexOf(LF, at);
        const isThere = end >= 0 && end < length;
        this.#text += buffer.latin1Slice(at, isThere ? end : length);
        if (!isThere) return false;
        at = end + 1;
        const line = this.#text.trim();
        this.#text = '';
        if (this.#state === LAST && line === '') return this.#whole(at, length);
        if (this.#state === SIZE && line !== '') this.#chunk(Number.parseInt(line, 16));
      }
    }
    return false;
  }

  #head(fields) {
    if (!fields.startsWith('HTTP/1.1 200 ')) throw new Error(`answered ${fields.slice(0, 400)}`);
    const length = LENGTH.exec(fields);
    if (length !== null) {
      this.#state = BODY;
      this.#left = Number(length[1]);
      this.bytes += this.#left;
    } else if (CHUNKED.test(fields)) this.#state = SIZE;
    else throw new Error('an answer without an end');
  }

  #chunk(bytes) {
    if (!Number.isInteger(bytes)) throw new Error('a chunk without a size');
    this.bytes += bytes;
    this.#left = bytes;
    this.#state = bytes === 0 ? LAST : DATA;
  }

  #whole(at, length) {
    if (at !== length) throw new Error('more than one answer to one request');
    this.#state = HEAD;
    return true;
  }
}

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
    }));
    if (!fresh) await Promise.all(slots.map((slot) => this.#connect(slot)));
    const began = performance.now();
    this.#end = began + ms;
    await Promise.all(slots.map((slot) => this.#use(slot)));
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
              if (answers.push(buffer, length)) slot.answered();
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
