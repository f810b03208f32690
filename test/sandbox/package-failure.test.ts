import { describe, expect, it } from 'vitest';
import { npmFailure } from '../../src/sandbox/packages/failure.ts';

const failure = (...lines: string[]) => npmFailure({ spec: 'npm:x@1.0.0', lines, timedOut: false });

describe('npmFailure', () => {
  it.each([
    ['npm error code E404', 'package_not_found', 'not_found'],
    ['npm ERR! code E404', 'package_not_found', 'not_found'],
    ['npm error code ETARGET', 'package_version_not_found', 'not_found'],
    ['npm error code ENOTFOUND', 'package_registry_unreachable', 'unavailable'],
    ['npm error code EAI_AGAIN', 'package_registry_unreachable', 'unavailable'],
    ['npm error code SELF_SIGNED_CERT_IN_CHAIN', 'package_registry_unreachable', 'unavailable'],
    ['npm error code ENOSPC', 'package_store_full', 'failed'],
    ['npm error code EINTEGRITY', 'package_install_failed', 'failed'],
    ['Segmentation fault', 'package_install_failed', 'failed'],
  ])('%s: %s', (line, code, kind) => {
    expect(failure('npm http fetch GET 200 …', line)).toMatchObject({ code, kind });
  });

  it('quotes the end of what npm said, without its prefix and its log files', () => {
    const lines = [
      'npm http fetch GET 200 …',
      'npm error code EINTEGRITY',
      'npm error sha512-x integrity checksum failed',
      'npm error',
      'npm error A complete log of this run can be found in: /root/.npm/_logs/x.log',
    ];
    expect(failure(...lines).message).toBe(
      'npm could not install npm:x@1.0.0:\ncode EINTEGRITY\nsha512-x integrity checksum failed',
    );
  });

  it('says when it took too long', () => {
    expect(npmFailure({ spec: 'npm:x', lines: [], timedOut: true })).toMatchObject({
      code: 'package_install_timeout',
    });
  });
});
