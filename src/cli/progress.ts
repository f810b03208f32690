/** What long work is at: one moving line at a terminal, a line for each step elsewhere, nothing with `--json`. */
import type { CliHost } from './host.ts';
import { type Output, printable } from './output.ts';

export interface Progress {
  tell(message: string): void;
  /** Takes the moving line away. */
  stop(): void;
}

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'] as const;
const FRAME_MS = 100;
/** Carriage return, and everything right of the cursor erased. */
const CLEAR = '\r\u001b[K';

export function createProgress(host: Pick<CliHost, 'stderr'>, out: Output): Progress {
  if (out.json) return { tell() {}, stop() {} };
  return host.stderr.isTTY === true ? movingLine(host.stderr) : eachStep(out);
}

// Not the prompt library's spinner: that one takes over the terminal and ends the process at ctrl-C, with exit code 0.
function movingLine(stderr: CliHost['stderr']): Progress {
  let message = '';
  let frame = 0;
  let timer: NodeJS.Timeout | null = null;
  const draw = (): void => {
    const line = `${FRAMES[frame++ % FRAMES.length]} ${message}`;
    stderr.write(`${CLEAR}${line.slice(0, Math.max(1, (stderr.columns ?? 80) - 1))}`);
  };
  return {
    tell(text) {
      message = printable(text);
      timer ??= setInterval(draw, FRAME_MS).unref();
      draw();
    },
    stop() {
      if (timer === null) return;
      clearInterval(timer);
      timer = null;
      stderr.write(CLEAR);
    },
  };
}

/** Where there is no terminal: a line for each step, not for each count within one (`fetching x: 12 downloads`). */
function eachStep(out: Output): Progress {
  let before = '';
  return {
    tell(message) {
      const step = message.split(': ', 1)[0] ?? message;
      if (step !== before) out.note(printable(step));
      before = step;
    },
    stop() {},
  };
}
