/** Events of calls and requests, as the gateway records them. */
import type { AuditEvent } from '../../src/audit/index.ts';
import type { JsonObject, WorkspaceId } from '../../src/kernel/index.ts';

export const workspace = 'wsp_1' as WorkspaceId; // the tests' own

export const finished = (tool: string, durationMs: number, more: JsonObject = {}): AuditEvent => ({
  workspace,
  type: 'call.finished',
  actor: { kind: 'token', id: 'tok_1' },
  server: 'github',
  data: { agent: 'claude', call: 'call_1', tool, outcome: 'ok', code: null, durationMs, ...more },
});

export const refused = (tool: string, code: string): AuditEvent => ({
  ...finished(tool, 0),
  type: 'call.refused',
  data: { agent: 'claude', tool, code },
});

const CALL = { id: 'call_1', tool: 'search', actor: 'tok_1', token: 'tok_1', user: null, agent: 'claude' };

export const sent = (more: JsonObject = {}): AuditEvent => ({
  workspace,
  type: 'egress.finished',
  actor: { kind: 'cell', id: 'cell_1' },
  server: 'github',
  data: {
    attribution: 'only',
    calls: [CALL],
    status: 200,
    requestBytes: 10,
    responseBytes: 1_000,
    ...more,
  },
});

export const CALLS = [CALL, { ...CALL, id: 'call_2' }];
