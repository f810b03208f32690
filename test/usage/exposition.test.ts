/** Metrics as text: what a label says stays within its quotes, whoever chose it. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { exposition } from '../../src/usage/index.ts';

const counter = (labels: Readonly<{ [name: string]: string }>, value = 1) =>
  exposition([{ name: 'calls_total', help: 'Calls.', type: 'counter', samples: [{ labels, value }] }]);

it('is lines of a name, labels and a number, each metric with what it is', () => {
  expect(
    exposition([
      { name: 'up', help: 'Always 1.\nReally.', type: 'gauge', samples: [{ labels: {}, value: 1 }] },
      {
        name: 'took',
        help: 'C:\\time',
        type: 'histogram',
        samples: [
          { suffix: '_bucket', labels: { server: 'a', le: '0.5' }, value: 2 },
          { suffix: '_sum', labels: { server: 'a' }, value: 0.25 },
        ],
      },
    ]),
  ).toBe(
    '# HELP up Always 1.\\nReally.\n# TYPE up gauge\nup 1\n' +
      '# HELP took C:\\\\time\n# TYPE took histogram\ntook_bucket{server="a",le="0.5"} 2\ntook_sum{server="a"} 0.25\n',
  );
});

it('a name that looks like another line is a name', () => {
  expect(counter({ tool: 'a"} 1\nfake_total{x="\\' })).toContain(
    '\ncalls_total{tool="a\\"} 1\\nfake_total{x=\\"\\\\"} 1\n',
  );
  expect(counter({ tool: 'a\r\u0000\u2028b\ud800' })).toContain('tool="a\ufffd\ufffd\ufffdb\ufffd"');
  expect(counter({ tool: 'x'.repeat(5_000) })).toContain(`tool="${'x'.repeat(200)}"`);
});

it('whatever a label holds, there are three lines, and the last one is well formed', () => {
  const line = /^calls_total\{tool="(?:[^"\\\n]|\\["\\n])*"\} 1$/;
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (tool) => {
      const lines = counter({ tool }).split('\n');
      expect(lines).toHaveLength(4);
      expect(lines[2]).toMatch(line);
    }),
  );
});
