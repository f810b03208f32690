/** ATTACKS 5 and 8: another cell of the same gateway, and outliving one's own. */
import { afterAll, describe, expect, it } from 'vitest';
import {
  hasPython,
  makeStage,
  modes,
  needsPython,
  outcomes,
  python,
  runCell,
  runCells,
} from './cell-harness.ts';

const stage = makeStage();
afterAll(() => stage.remove());

/** Offers a secret in every way that programs of one machine share things. */
const offer = `
  const fs = require('node:fs'), net = require('node:net');
  fs.writeFileSync('/tmp/shared', 'neighbour'); fs.chmodSync('/tmp/shared', 0o666);
  fs.writeFileSync('/dev/shm/shared', 'neighbour');
  const serve = (where) => new Promise((done) => net.createServer((s) => s.end('neighbour')).listen(where, done));
  Promise.all([serve({ path: '\\0shared' }), serve({ path: '/tmp/shared.sock' }), serve({ port: 7777, host: '::' })]).then(() => console.log('READY'));
`;
/** Tries to get at it. */
const take = `
  const fs = require('node:fs'), net = require('node:net');
  const file = async (path) => fs.readFileSync(path, 'utf8');
  const from = (where) => new Promise((done, fail) => { let text = ''; net.connect(where).on('data', (b) => (text += b)).on('close', () => done(text)).on('error', fail); });
  const processes = async () => fs.readdirSync('/proc').filter((n) => /^[0-9]+$/.test(n)).map((n) => fs.readFileSync('/proc/' + n + '/cmdline', 'latin1')).some((c) => c.endsWith('off' + 'ers\\0')) ? 'neighbour' : 'nobody';
  const attempts = { file: () => file('/tmp/shared'), memory: () => file('/dev/shm/shared'), abstract: () => from({ path: '\\0shared' }),
    path: () => from({ path: '/tmp/shared.sock' }), tcp: () => from({ port: 7777, host: '127.0.0.1' }), 'tcp v6': () => from({ port: 7777, host: '::1' }), processes };
  (async () => { const result = {}; for (const [name, run] of Object.entries(attempts)) result[name] = await run().catch((e) => e.code); console.log(JSON.stringify(result)); process.exit(0); })();
`;
/** In a shell, beside one whose words go to that file: waits until it says READY. */
const whenItOffers = 'until [ -s /tmp/said ]; do sleep 0.05; done';

describe.each(modes)('two cells, gateway as %s', (mode) => {
  it('control: within one cell all of it is shared', async () => {
    const both = `node -e "$0" offers >/tmp/said & ${whenItOffers}; node -e "$1"; kill $!`;
    const { stdout } = await runCell(stage, mode, { command: ['/bin/sh', '-c', both, offer, take] });
    expect(outcomes(stdout)).toEqual({
      file: 'neighbour',
      memory: 'neighbour',
      abstract: 'neighbour',
      path: 'neighbour',
      tcp: 'neighbour',
      'tcp v6': 'neighbour',
      processes: 'neighbour',
    });
  });

  it('between two, nothing is', async () => {
    const [, taker] = await runCells(stage, mode, {
      cells: [{ command: ['node', '-e', offer, 'offers'] }, { command: ['node', '-e', take] }],
    });
    expect(outcomes(taker?.stdout ?? '')).toEqual({
      file: 'ENOENT',
      memory: 'ENOENT',
      abstract: 'ECONNREFUSED',
      path: 'ENOENT',
      tcp: 'ECONNREFUSED',
      'tcp v6': 'ECONNREFUSED',
      processes: 'nobody',
    });
  });
});

describe.skipIf(!hasPython).each(modes)(`two cells, from Python${needsPython}, gateway as %s`, (mode) => {
  const program = [python, '-B', '/probes/neighbourly.py'];
  const everything = ['file', 'memory', 'pipe', 'abstract', 'path', 'tcp', 'tcp v6', 'processes'];

  it('control: within one cell all of it is shared', async () => {
    const both = `"$@" offers >/tmp/said & ${whenItOffers}; "$@" takes; kill $!`;
    const { stdout } = await runCell(stage, mode, { command: ['/bin/sh', '-c', both, 'sh', ...program] });
    expect(outcomes(stdout)).toEqual(Object.fromEntries(everything.map((name) => [name, 'neighbour'])));
  });

  it('between two, nothing is', async () => {
    const [, taker] = await runCells(stage, mode, {
      cells: [
        { command: [...program, 'offers'], files: stage.grant },
        { command: [...program, 'takes'], files: stage.grant },
      ],
    });
    expect(outcomes(taker?.stdout ?? '')).toEqual({
      file: 'ENOENT',
      memory: 'ENOENT',
      pipe: 'ENOENT',
      abstract: 'ECONNREFUSED',
      path: 'ENOENT',
      tcp: 'ECONNREFUSED',
      'tcp v6': 'ECONNREFUSED',
      processes: 'ESRCH',
    });
  });
});
