/** A front without the rest of the gateway: nothing is recorded, stopped, or held against what somebody agreed to, and nothing changes. */
import { NO_RULES } from '../../src/policy/index.ts';
import { silentLog, systemClock, systemRandom } from '../../src/kernel/index.ts';
import {
  createFront,
  type Front,
  type FrontDeps,
  type Principal,
  type Upstreams,
} from '../../src/mcp/index.ts';

export const everythingAgreed: FrontDeps['definitions'] = {
  judge: async () => () => 'approved',
  approvedTools: async () => null,
  withheld: () => undefined,
  approvedInstructions: async () => null,
  onApproved: () => () => undefined,
};

/** @param more in place of what it has */
export const bareFront = (upstreams: Upstreams, principal: Principal, more: Partial<FrontDeps> = {}): Front =>
  createFront({
    revision: () => 0,
    upstreams,
    audit: {
      async started() {},
      async finished() {},
      async refused() {},
      async masked() {},
      async alerted() {},
    },
    kills: { async check() {}, isStopped: async () => false, onKill: () => () => undefined },
    standing: { until: async () => Infinity, onChange: () => () => undefined },
    limits: { used: async () => new Map(), take: async () => ({ ok: true, end: () => undefined }) },
    masks: { maskersOf: async () => ({ whole: null, placed: null }), close: () => undefined },
    rules: { rulesOf: async () => NO_RULES, onChange: () => () => undefined },
    approvals: {
      pass: async () => ({ state: 'rejected', id: '', address: null }),
      waits: async () => false,
      onChange: () => () => undefined,
    },
    definitions: everythingAgreed,
    authenticate: async () => principal,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    config: {
      allowedHosts: [],
      allowedOrigins: [],
      publicUrl: null,
      authorizationServers: [],
      holdMs: 0,
      version: '0.0.0',
    },
    ...more,
  });
