import { describe, expect, it } from 'vitest';
import { readSummary } from './suite.ts';

describe('what the suite prints', () => {
  it('is read by scenario, with those that count for nothing', () => {
    const { scores, unscored } = readSummary(
      [
        'Running client scenario',
        '=== SUMMARY ===',
        '✓ ping: 2 passed, 0 failed',
        '✗ tasks-wire-fields: 1 passed, 3 failed',
        '✓ json-schema-2020-12: 8 passed, 0 failed',
        '',
        'Total: 11 passed, 3 failed',
        '',
        'Not scored for 2026-07-28: 2 scenario(s) run, 1 failing. These do not affect conformance.',
        '  ✗ tasks-wire-fields (extension)',
        '  ✓ json-schema-2020-12 (pending)',
      ].join('\n'),
    );
    expect([...scores]).toEqual([
      ['ping', { passed: 2, failed: 0 }],
      ['tasks-wire-fields', { passed: 1, failed: 3 }],
      ['json-schema-2020-12', { passed: 8, failed: 0 }],
    ]);
    expect([...unscored]).toEqual(['tasks-wire-fields', 'json-schema-2020-12']);
  });
});
