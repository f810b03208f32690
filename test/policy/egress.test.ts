import { describe, expect, it } from 'vitest';
import {
  type BindingLike,
  type BoundRequest,
  type EgressRequest,
  type EgressRuleLike,
  matchBinding,
  matchEgress,
} from '../../src/policy/index.ts';

const api: EgressRuleLike = {
  host: 'api.github.com',
  port: 443,
  protocol: 'https',
  methods: ['GET', 'POST'],
  paths: ['/repos', '/user'],
};
const uploads: EgressRuleLike = { host: '*.uploads.github.com', port: 8443, protocol: 'https' };
const plain: EgressRuleLike = { host: 'api.github.com', port: 80, protocol: 'http', methods: ['GET'] };
const rules = [api, uploads, plain];

describe('matchEgress', () => {
  it.each([
    [{ host: 'api.github.com', port: 443 }, [api]],
    [{ host: 'api.github.com', port: 443, protocol: 'https', method: 'POST', path: '/repos/a' }, [api]],
    [{ host: 'eu.uploads.github.com', port: 8443, method: 'DELETE', path: '/x' }, [uploads]],
    [{ host: 'api.github.com', port: 80, protocol: 'http', method: 'GET', path: '/anything' }, [plain]],
  ] satisfies [EgressRequest, EgressRuleLike[]][])('allows %j', (request, matching) => {
    expect(matchEgress(rules, request)).toEqual({ allow: true, rules: matching });
  });

  it.each([
    [{ host: 'evil.example', port: 443 }, 'egress_host_denied'],
    [{ host: 'uploads.github.com', port: 8443 }, 'egress_host_denied'],
    [{ host: 'api.github.com.evil.example', port: 443 }, 'egress_host_denied'],
    [{ host: 'api.github.com', port: 22 }, 'egress_port_denied'],
    [{ host: 'eu.uploads.github.com', port: 443 }, 'egress_port_denied'],
    [{ host: 'api.github.com', port: 443, protocol: 'http' }, 'egress_protocol_denied'],
    [{ host: 'api.github.com', port: 443, method: 'DELETE' }, 'egress_method_denied'],
    [{ host: 'api.github.com', port: 443, method: 'get' }, 'egress_method_denied'],
    [{ host: 'api.github.com', port: 443, method: 'GET', path: '/reposx' }, 'egress_path_denied'],
    [{ host: 'api.github.com', port: 443, method: 'GET', path: '/' }, 'egress_path_denied'],
  ] satisfies [EgressRequest, string][])('refuses %j: %s', (request, code) => {
    expect(matchEgress(rules, request)).toMatchObject({ allow: false, code });
  });

  it('reaches nothing without rules, and nothing through empty lists', () => {
    const request = { host: 'api.github.com', port: 443, method: 'GET', path: '/repos' };
    expect(matchEgress([], request)).toMatchObject({ code: 'egress_host_denied' });
    expect(matchEgress([{ ...api, methods: [] }], request)).toMatchObject({ code: 'egress_method_denied' });
    expect(matchEgress([{ ...api, paths: [] }], request)).toMatchObject({ code: 'egress_path_denied' });
    expect(matchEgress([{ ...api, host: '*' }], request)).toMatchObject({ code: 'egress_host_denied' });
  });

  it('does not let two rules allow together what neither allows alone', () => {
    const reads: EgressRuleLike = { ...api, methods: ['GET'], paths: ['/'] };
    const writes: EgressRuleLike = { ...api, methods: ['POST'], paths: ['/own'] };
    const request = { host: api.host, port: 443, method: 'POST', path: '/others' };
    expect(matchEgress([reads, writes], request)).toMatchObject({ code: 'egress_path_denied' });
  });

  it('says what refused and what would allow', () => {
    expect(matchEgress(rules, { host: 'evil.example', port: 443 })).toEqual({
      allow: false,
      code: 'egress_host_denied',
      message:
        'This server may not connect to evil.example. It may reach api.github.com and *.uploads.github.com.',
      hint: "Add an egress rule for evil.example to the server's manifest, if it should.",
    });
    expect(matchEgress(rules, { host: 'api.github.com', port: 443, method: 'PUT' })).toMatchObject({
      message: 'This server may not use PUT at api.github.com, only GET and POST.',
    });
    expect(matchEgress([], { host: 'a.com', port: 1 })).toMatchObject({
      message: 'This server may not connect to a.com. It may reach nothing.',
    });
  });
});

describe('matchBinding', () => {
  const binding: BindingLike = {
    name: 'GITHUB_TOKEN',
    hosts: ['api.github.com', '*.ghe.example'],
    ports: [443],
    methods: ['GET', 'POST'],
    paths: ['/repos'],
  };
  const request: BoundRequest = { host: 'api.github.com', port: 443, method: 'GET', path: '/repos/x' };

  it('allows what it is bound to', () => {
    expect(matchBinding(binding, request)).toEqual({ allow: true });
    expect(
      matchBinding(binding, { ...request, host: 'a.ghe.example', method: 'POST', path: '/repos' }),
    ).toEqual({ allow: true });
    expect(
      matchBinding(
        { name: 'T', hosts: ['api.github.com'] },
        { ...request, port: 80, method: 'PURGE', path: '/x' },
      ),
    ).toEqual({ allow: true });
  });

  it.each([
    [{ host: 'evil.example' }, 'credential_host_denied'],
    [{ host: 'ghe.example' }, 'credential_host_denied'],
    [{ port: 80 }, 'credential_port_denied'],
    [{ method: 'DELETE' }, 'credential_method_denied'],
    [{ path: '/user' }, 'credential_path_denied'],
    [{ path: '/repository' }, 'credential_path_denied'],
  ] satisfies [Partial<BoundRequest>, string][])('refuses %j: %s', (changes, code) => {
    expect(matchBinding(binding, { ...request, ...changes })).toMatchObject({ allow: false, code });
  });

  it.each([
    [{ hosts: [] }, 'credential_host_denied'],
    [{ ports: [] }, 'credential_port_denied'],
    [{ methods: [] }, 'credential_method_denied'],
    [{ paths: [] }, 'credential_path_denied'],
  ] satisfies [Partial<BindingLike>, string][])('an empty list goes nowhere: %j', (changes, code) => {
    expect(matchBinding({ ...binding, ...changes }, request)).toMatchObject({ code });
  });

  it('says where it may go', () => {
    expect(matchBinding(binding, { ...request, host: 'evil.example' })).toEqual({
      allow: false,
      code: 'credential_host_denied',
      message:
        'GITHUB_TOKEN may not be sent to evil.example. It is bound to api.github.com and *.ghe.example.',
      hint: "Add evil.example to the hosts of GITHUB_TOKEN in the server's manifest, if it belongs there.",
    });
  });
});
