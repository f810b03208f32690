import { expect, test } from 'vitest';
import type { RecordedEvent } from '../../src/audit/index.ts';
import { slackBody } from '../../src/delivery/index.ts';

const raised = (message: string): string => {
  const event = {
    sequence: 7,
    at: 0,
    workspace: 'ws_1',
    type: 'alert.raised',
    actor: { kind: 'system', id: 'gateway' },
    data: { rule: 'policy-rule', key: message, message },
    previous: '',
    hash: '',
  } as unknown as RecordedEvent; // all of it that a message is made of
  return slackBody(event).toString('utf8');
};

test('what nobody would see, or what would begin a line of its own, is written out in Slack', () => {
  const body = raised('token:tok_1 asked notes for n://x\n\nAll is well. \u202egnihton oD\u{e0041}');
  expect(body).not.toMatch(/\\n|\u202e|\u{e0041}/u);
  expect(body).toContain('n://x\\\\u{a}\\\\u{a}All is well. \\\\u{202e}gnihton oD\\\\u{e0041}');
  expect(raised('as it is'), 'the control').toContain('"text":"as it is"');
});
