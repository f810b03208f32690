/**
 * What recording a call costs: time of the thread that serves requests, at each level, with the store, the seals and the
 * masking of the product, which are another thread's work, and how long it is held up at a stretch while what waits is
 * written. Run with `npm run bench -- recording`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setImmediate as pause } from 'node:timers/promises';
import { type CellId, silentLog, systemClock, systemRandom } from '../src/kernel/index.ts';
import { homeFiles, loadConfig } from '../src/main/config.ts';
import { operatorOf } from '../src/main/front-ports.ts';
import { initHome } from '../src/main/init.ts';
import { createRecordings } from '../src/main/recording/session-recordings.ts';
import { openServices } from '../src/main/services.ts';
import { combineRules, type RuleRequest } from '../src/policy/index.ts';
import { recordingLevels } from '../src/recording/index.ts';

const CALLS = 4_000;
const CALLS_PER_FLUSH = 200;

const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};
const row = (...cells: readonly string[]): string =>
  cells.map((cell, index) => cell.padEnd(index === 0 ? 14 : 26)).join('');

const spentUs = (): number => {
  const { user, system } = process.threadCpuUsage();
  return user + system;
};

const words = 'The deployment of the service went through and every check was green again. ';
const argumentsText = JSON.stringify({ query: words.repeat(3), limit: 20, tags: ['one', 'two'] });
const resultOf = (bytes: number): string =>
  JSON.stringify({
    content: [{ type: 'text', text: words.repeat(Math.ceil(bytes / words.length)).slice(0, bytes) }],
  });

const folder = mkdtempSync(join(tmpdir(), 'sallyport-bench-recording-'));
try {
  const config = loadConfig({ SALLYPORT_HOME: join(folder, 'home') });
  await initHome(config);
  print(row('level', 'µs per call, 1 KB result', '20 KB result', 'longest stretch, ms'));
  for (const level of recordingLevels) {
    const first = await measure(level, 1_000);
    const second = await measure(level, 20_000);
    const longest = Math.max(first.longestMs, second.longestMs).toFixed(1);
    print(row(level, first.us.toFixed(1), second.us.toFixed(1), longest));
  }

  async function measure(
    level: (typeof recordingLevels)[number],
    resultBytes: number,
  ): Promise<{ readonly us: number; readonly longestMs: number }> {
    const services = await openServices(config, silentLog);
    const { workspace, store, ring, vault, audit } = services;
    const recordings = createRecordings({
      workspace,
      store,
      ring,
      vault,
      audit,
      config: { level, required: false, keepDays: null, keepMiB: null },
      threadOn: homeFiles(config.home).database,
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
    });
    const rules = combineRules([]);
    const asked: RuleRequest = {
      subject: 'tool',
      server: 'echo',
      profile: '',
      name: 'say',
      users: [],
      agents: ['bench'],
      tokens: [],
      now: systemClock.now(),
      args: argumentsText,
    };
    const result = resultOf(resultBytes);
    const tape = recordings.recorder.begin({
      principal: operatorOf(workspace),
      profile: null,
      server: null,
      via: 'session',
    });
    const turns = monitorEventLoopDelay({ resolution: 1 });
    const say = async (count: number): Promise<void> => {
      for (let id = 1; id <= count; id += 1) {
        const taped = tape.request({
          text: `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"say","arguments":${argumentsText}}}`,
        });
        if (taped.wanted) await taped.judged(asked, rules.decide(asked));
        taped.called({ call: `call_${id}`, cell: 'cell_1' as CellId, server: 'echo', tool: 'say' });
        taped.answered(`{"jsonrpc":"2.0","id":${id},"result":${result}}`);
        if (id % CALLS_PER_FLUSH !== 0) continue;
        await pause();
        turns.enable();
        await recordings.flush();
        turns.disable();
      }
    };
    await say(CALLS_PER_FLUSH * 2);
    turns.reset();
    const before = spentUs();
    await say(CALLS);
    const us = (spentUs() - before) / CALLS;
    await recordings.close();
    await services.close();
    return { us, longestMs: turns.max / 1e6 };
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
