/**
 * A command of `sallyport run` at a terminal. What it could do to whoever sits there: push a line into the terminal's input, which
 * the user's own shell then takes for typed. `script` stands for the user's terminal, with a shell at it.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { makeHome, waitFor } from '../e2e/harness.ts';

const PROGRAM = resolve(import.meta.dirname, '../../bin/sallyport.mjs');
/** Of the essential packages of every Debian. */
const SCRIPT = 'script';
const PYTHON = '/usr/bin/python3';
/** Since Linux 6.2 a machine may do without the call altogether. */
const SETTING = '/proc/sys/dev/tty/legacy_tiocsti';
const hasPush = !existsSync(SETTING) || readFileSync(SETTING, 'latin1').trim() === '1';

const home = makeHome();
const folder = mkdtempSync(join(tmpdir(), 'sallyport-terminal-'));
const opened = new Set<ChildProcess>();

interface Seat {
  /** Types a line. */
  line(text: string): void;
  type(text: string): void;
  shown(): string;
  /** Everything shown since, once it has what matches. */
  until(pattern: RegExp, since?: number): Promise<string>;
  leave(): Promise<void>;
}

/** A person at a terminal with a shell. */
async function sit(): Promise<Seat> {
  const child = spawn(SCRIPT, ['--quiet', '--flush', '--return', '--command', 'exec sh -i', '/dev/null'], {
    cwd: folder,
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: folder,
      TERM: 'dumb',
      SHELL: '/bin/sh',
      PS1: '> ',
      RUN: `${process.execPath} ${PROGRAM} run --`,
      KILL: `${process.execPath} ${PROGRAM} kill --all`,
      SALLYPORT_HOME: home.path,
      TMPDIR: home.temporary,
    },
    stdio: 'pipe',
  });
  opened.add(child);
  let shown = '';
  child.stdout.on('data', (chunk: Buffer) => (shown += chunk.toString()));
  const ended = new Promise((done) => child.once('close', done));
  const seat: Seat = {
    type: (text) => void child.stdin.write(text),
    line: (text) => void child.stdin.write(`${text}\r`),
    shown: () => shown,
    async until(pattern, since = 0) {
      await waitFor(() => pattern.test(shown.slice(since)));
      return shown.slice(since);
    },
    async leave() {
      // What is typed earlier is for the command that is still there.
      await seat.until(/> $/);
      seat.line('exit');
      await ended;
    },
  };
  await seat.until(/> $/);
  seat.line('stty cols 100 rows 30; echo SEA""TED');
  await seat.until(/SEATED/);
  return seat;
}

beforeAll(async () => {
  expect((await home.run('init')).code).toBe(0);
  copyFileSync(join(import.meta.dirname, 'probes/push.py'), join(folder, 'push.py'));
  chmodSync(folder, 0o755);
  // Where root runs this, its folder has to be somebody's: no command runs as root.
  if (process.getuid?.() === 0) chownSync(folder, 23_456, 23_456);
});
afterEach(() => {
  for (const child of opened) child.kill('SIGKILL');
  opened.clear();
});
afterAll(() => {
  home.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** Says that it was taken for typed: the word is not in the line itself. */
const LINE = 'echo PUS""HED';

// `.ci/run` brings Python on machines where it may install something.
describe.skipIf(!existsSync(PYTHON))('a line pushed into the terminal', () => {
  it.skipIf(!hasPush)('is run by the shell: the control, without Sallyport', async () => {
    const seat = await sit();
    seat.line(`${PYTHON} push.py '${LINE}'; echo DO""NE`);
    expect(await seat.until(/PUSHED/)).toContain('0 pushed');
    await seat.leave();
  });

  it('is refused by the filter, from whatever it tries, and never reaches the shell', async () => {
    const seat = await sit();
    seat.line(`$RUN ${PYTHON} push.py '${LINE}'; echo DO""NE`);
    const shown = await seat.until(/\r\nDONE\r\n/);
    for (const name of ['0', '1', '2', '/dev/tty'])
      expect(shown).toContain(`${name} Operation not permitted`);
    expect(shown).not.toContain(' pushed');
    seat.line('echo AF""TER');
    expect(await seat.until(/\r\nAFTER\r\n/)).not.toContain('PUSHED');
    await seat.leave();
  });

  it.skipIf(!hasPush)(
    'would not reach the shell without the filter either: the terminal is another one',
    async () => {
      const seat = await sit();
      // As the launcher has it, with the attack in place of the cell.
      seat.line(
        `script --quiet --flush --return --command "exec ${PYTHON} push.py '${LINE.replaceAll('"', String.raw`\"`)}'" /dev/null; echo DO""NE`,
      );
      expect(await seat.until(/\r\nDONE\r\n/)).toContain('0 pushed');
      seat.line('echo AF""TER');
      expect(await seat.until(/\r\nAFTER\r\n/)).not.toContain('PUSHED');
      await seat.leave();
    },
  );
});

describe('a command at a terminal', () => {
  it('has one of its own, of the same size, and nothing else open', async () => {
    const seat = await sit();
    seat.line(
      `$RUN sh -c 'test -t 0 && test -t 1 && test -t 2 && echo A""LL; stty size; ls /proc/self/fd | tr "\\n" ,; echo; exit 7'; echo CO""DE $?`,
    );
    const shown = await seat.until(/\r\nCODE \d+\r\n/);
    expect(shown).toContain('\r\nALL\r\n30 100\r\n0,1,2,3,\r\n');
    expect(shown).toContain('CODE 7');
    await seat.leave();
  });

  it('is resized with the user’s', async () => {
    const seat = await sit();
    seat.line('echo AT""=$(tty)=');
    const [, terminal = ''] = /AT=(\S+)=/.exec(await seat.until(/AT=\S+=/)) ?? [];
    seat.line(
      `$RUN sh -c 'echo REA""DY; until [ "$(stty size)" = "33 77" ]; do sleep 0.1; done; echo RES""IZED'`,
    );
    await seat.until(/READY/);
    const resize = (columns: string): void =>
      void execFileSync('stty', ['-F', terminal, 'cols', columns, 'rows', '33']);
    await waitFor(() => {
      resize('78');
      resize('77');
      return seat.shown().includes('RESIZED');
    });
    await seat.leave();
  });

  it('is typed to, with ctrl-C and the end of input for it', async () => {
    const seat = await sit();
    seat.line(`$RUN sh -c 'echo REA""DY; read line; echo "got $line"; cat; echo AF""TER'; echo CO""DE $?`);
    await seat.until(/READY/);
    seat.line('words');
    await seat.until(/got words/);
    seat.type('\u0004');
    await seat.until(/AFTER\r\n/);
    expect(await seat.until(/CODE \d+/)).toContain('CODE 0');
    const since = seat.shown().length;
    seat.line(`$RUN sh -c 'echo REA""DY; exec sleep 1000'; echo CO""DE $?`);
    await seat.until(/READY/, since);
    seat.type('\u0003');
    expect(await seat.until(/CODE \d+/, since)).toContain('CODE 130');
    await seat.leave();
  });

  it.skipIf(!existsSync('/bin/bash'))('can be a shell with jobs', async () => {
    const seat = await sit();
    seat.line('$RUN bash --norc --noprofile -i; echo CO""DE $?');
    await seat.until(/bash-\S+\$ $/);
    seat.line('echo BEG""UN; sleep 1000');
    await seat.until(/BEGUN/);
    // The shell gives the terminal to the job before that is there; ctrl-Z until it has.
    await waitFor(async () => {
      seat.type('\u001a');
      await new Promise((done) => setTimeout(done, 100));
      return seat.shown().includes('Stopped');
    });
    seat.line('fg');
    await seat.until(/fg\r\nsleep 1000\r\n/);
    const since = seat.shown().length;
    seat.type('\u0003');
    await seat.until(/bash-\S+\$ $/, since);
    seat.line('exit 5');
    expect(await seat.until(/CODE \d+/)).toContain('CODE 5');
    await seat.leave();
  });

  it.each([
    ['by itself', "sh -c 'stty raw -echo; exit 3'", 3],
    ['by the kill switch', 'sh -c \'stty raw -echo; echo REA""DY; exec sleep 1000\'', 125],
  ])('leaves the user’s terminal as it was when it ends %s', async (how, command, code) => {
    const seat = await sit();
    seat.line('before=$(stty -g)');
    seat.line(`$RUN ${command}; echo CO""DE $?`);
    if (how === 'by the kill switch') {
      await seat.until(/READY/);
      expect((await home.run('kill', '--all', '--reason', 'test')).code).toBe(0);
    }
    expect(await seat.until(/CODE \d+/)).toContain(`CODE ${code}`);
    if (how === 'by the kill switch') await home.run('resume', '--all');
    seat.line('[ "$before" = "$(stty -g)" ] && echo SA""ME');
    await seat.until(/SAME/);
    await seat.leave();
  });
});
