/** What a prober may have found. */
import type { ProbeView } from '../../src/api/index.ts';

export type ProbeEntry = ProbeView['probes'][number];

export const clean = (over: Partial<ProbeEntry> = {}): ProbeEntry => ({
  credential: 'API_KEY',
  host: 'api.test.example',
  port: 443,
  place: 'header Authorization',
  outcome: 'answered',
  method: 'GET',
  path: '/',
  status: 401,
  echoed: [],
  truncated: false,
  code: null,
  reason: null,
  ...over,
});

export const echoing = (over: Partial<ProbeEntry> = {}): ProbeEntry =>
  clean({
    status: 200,
    echoed: [
      { where: 'header Set-Cookie', encoding: 'raw' },
      { where: 'body', encoding: 'base64' },
    ],
    ...over,
  });

export const failed = (over: Partial<ProbeEntry> = {}): ProbeEntry =>
  clean({
    outcome: 'failed',
    status: null,
    code: 'egress_upstream_unresolved',
    reason: 'The name api.test.example could not be resolved.',
    ...over,
  });

export const skipped = (over: Partial<ProbeEntry> = {}): ProbeEntry =>
  clean({
    outcome: 'skipped',
    method: null,
    path: null,
    status: null,
    code: 'probe_method',
    reason: 'only POST allowed',
    ...over,
  });
