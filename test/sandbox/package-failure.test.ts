import { describe, expect, it } from 'vitest';
import { npmFailure } from '../../src/sandbox/packages/failure.ts';

const ended = { stopped: null, reason: 'exit code 1', unreached: [] };
const failure = (...lines: string[]) => npmFailure({ spec: 'npm:x@1.0.0', lines, end: ended });

describe('npmFailure', () => {
  it.each([
    ['npm error code E404', 'package_not_found', 'not_found'],
    ['npm ERR! code E404', 'package_not_found', 'not_found'],
    ['npm error code E401', 'package_login_refused', 'denied'],
    ['npm error code E403', 'package_login_refused', 'denied'],
    ['npm error code ETARGET', 'package_version_not_found', 'not_found'],
    ['npm error code ENOTFOUND', 'package_registry_unreachable', 'unavailable'],
    ['npm error code EAI_AGAIN', 'package_registry_unreachable', 'unavailable'],
    ['npm error code SELF_SIGNED_CERT_IN_CHAIN', 'package_registry_unreachable', 'unavailable'],
    ['npm error code ENOSPC', 'package_store_full', 'failed'],
    ['npm error code EINTEGRITY', 'package_differs', 'denied'],
    ['Segmentation fault', 'package_install_failed', 'failed'],
  ])('%s: %s', (line, code, kind) => {
    expect(failure('npm http fetch GET 200 …', line)).toMatchObject({ code, kind });
  });

  it('goes by the last code: others are what scripts said before', () => {
    expect(failure('npm error code E401', 'npm error code EINTEGRITY').code).toBe('package_differs');
    expect(failure('npm error code EINTEGRITY', 'npm error code 1').code).toBe('package_install_failed');
  });

  it('quotes the end of what npm said, without its prefix and its log files', () => {
    const lines = [
      'npm http fetch GET 200 …',
      'npm error code EUSAGE',
      'npm error some explanation',
      'npm error',
      'npm error A complete log of this run can be found in: /root/.npm/_logs/x.log',
    ];
    expect(failure(...lines).message).toBe(
      'npm could not install npm:x@1.0.0:\ncode EUSAGE\nsome explanation',
    );
  });

  it('says how the cell ended where npm said nothing', () => {
    expect(failure().message).toBe('npm could not install npm:x@1.0.0:\nexit code 1');
  });

  it('names the host that was in the way', () => {
    const lines = ['npm error code E403'];
    const failed = (...unreached: { host: string; why: string }[]) =>
      npmFailure({ spec: 'npm:x', lines, end: { ...ended, unreached } });
    expect(
      failed({ host: 'cdn.example', why: 'denied' }, { host: 'b.example', why: 'denied' }),
    ).toMatchObject({
      code: 'package_host_denied',
      kind: 'denied',
      message: 'Installing npm:x needs cdn.example, b.example, which is not the package registry.',
    });
    expect(failed({ host: 'npm.example', why: 'ECONNREFUSED' })).toMatchObject({
      code: 'package_registry_unreachable',
      message: 'The package registry could not be reached (npm.example: ECONNREFUSED).',
    });
  });

  it.each([
    ['timeout', 'package_install_timeout', 'unavailable'],
    ['too-large', 'package_too_large', 'denied'],
    ['disk-full', 'package_store_full', 'failed'],
    ['cancelled', 'cancelled', 'failed'],
  ] as const)('says when it was stopped: %s', (stopped, code, kind) => {
    const lines = ['npm error code E404'];
    expect(npmFailure({ spec: 'npm:x', lines, end: { ...ended, stopped } })).toMatchObject({ code, kind });
  });
});
