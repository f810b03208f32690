/** pip's words, as pip 23 and 25 say them, and what the user is told. */
import { describe, expect, it } from 'vitest';
import { limits } from '../../src/kernel/index.ts';
import { npmFailure } from '../../src/sandbox/packages/failure.ts';
import { missingPart, pypiFailure } from '../../src/sandbox/packages/pypi-failure.ts';

const ended = { code: 1, stopped: null, reason: 'it ended with code 1', unreached: [] } as const;
const failure = (
  lines: readonly string[],
  asked: readonly string[] | null = null,
  end: Parameters<typeof pypiFailure>[0]['end'] = ended,
) => {
  const interpreter = { path: '/usr/bin/python3.11', version: '3.11' };
  return pypiFailure({ spec: 'pypi:gate==1.2', interpreter, lines, asked, end });
};

const notFound = (wanted: string) => [
  'Looking in indexes: https://pypi.org/simple/',
  `ERROR: Could not find a version that satisfies the requirement ${wanted} (from versions: none)`,
  `ERROR: No matching distribution found for ${wanted}`,
];
const versions = (name: string, list: string) => [
  'WARNING: pip index is currently an experimental command. It may be removed/changed in a future release without prior warning.',
  `${name} (${list.split(', ')[0]})`,
  `Available versions: ${list}`,
];
const page = (why: string) => [
  'Getting page https://pypi.org/simple/gate/',
  `Could not fetch URL https://pypi.org/simple/gate/: ${why} - skipping`,
  'ERROR: No matching distribution found for gate',
];

describe('what pip complains of', () => {
  it.each([
    [
      'package_not_found',
      notFound('gate==1.2'),
      page('404 Client Error: Not Found for url: https://pypi.org/simple/gate/'),
    ],
    ['package_version_not_found', notFound('gate==1.2'), versions('gate', '2.0, 1.0')],
    ['package_wheel_missing', notFound('gate==1.2'), versions('gate', '2.0, 1.2, 1.0')],
    ['package_wheel_missing', notFound('hinge>=1'), versions('hinge', '2.0, 1.2')],
    [
      'package_python_unsuitable',
      [
        'ERROR: Ignored the following versions that require a different python version: 1.2 Requires-Python >=3.14',
        ...notFound('gate==1.2'),
      ],
      [],
    ],
    [
      'package_python_unsuitable',
      ["ERROR: Package 'gate' requires a different Python: 3.11.2 not in '>=4'"],
      null,
    ],
    [
      'package_registry_unreachable',
      notFound('gate'),
      page('502 Server Error: Bad Gateway for url: https://pypi.org/simple/gate/'),
    ],
    [
      'package_registry_unreachable',
      notFound('gate'),
      page('403 Client Error: Forbidden for url: https://pypi.org/simple/gate/'),
    ],
    [
      'package_registry_unreachable',
      [
        "WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after connection broken by 'NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object at 0x7fc31bb28b90>: Failed to establish a new connection: [Errno 111] Connection refused')': /simple/gate/",
        ...notFound('gate'),
      ],
      null,
    ],
    [
      'package_differs',
      [
        'ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated the package versions, please update the hashes. Otherwise, examine the package contents carefully; someone may have tampered with them.',
      ],
      null,
    ],
    [
      'package_store_full',
      ['ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device'],
      null,
    ],
    ['package_install_failed', ['ERROR: Cannot install gate==1.2 and hinge==1 because of conflicts.'], null],
    ['package_install_failed', [], null],
  ] as const)('%s', (code, lines, asked) => {
    expect(failure(lines, asked)).toMatchObject({ code });
  });

  it('names the part that is missing, and the package that wants it', () => {
    const { message } = failure(notFound('hinge>=3'), page('404 Client Error: Not Found for url: x'));
    expect(message).toBe('The index has no package hinge>=3 (for pypi:gate==1.2).');
  });

  it.each([
    ['timeout', 'package_install_timeout'],
    ['too-large', 'package_too_large'],
    ['cancelled', 'cancelled'],
  ] as const)('is of no account where the cell was ended: %s', (stopped, code) => {
    const end = { ...ended, code: null, stopped, reason: 'it was ended by SIGKILL' };
    expect(failure(notFound('gate'), null, end)).toMatchObject({ code });
  });

  it('says why there is no pip', () => {
    const lines = ['sallyport: what the index gives as pip-25.3-py3-none-any.whl is something else'];
    expect(failure(lines, null, { ...ended, code: 71 })).toMatchObject({
      code: 'package_pip_missing',
      message:
        'This machine has no pip for cells, and what the index gives as pip-25.3-py3-none-any.whl is something else.',
    });
  });
});

describe('the part that pip did not find', () => {
  it.each([
    [notFound('gate==1.2'), 'gate'],
    [notFound('Gate.Door[extra]<2,>=1'), 'Gate.Door'],
    [notFound('gate>=1; python_version < "3.12"'), 'gate'],
    [['ERROR: No matching distribution found for --index-url=x'], null],
    [['Successfully installed gate-1.2'], null],
  ] as const)('%j', (lines, name) => {
    expect(missingPart(lines)).toBe(name);
  });
});

describe('what a package makes pip say', () => {
  const longest = (text: string): string => text.repeat(limits.packageInstallLineCharsMax / text.length);
  const said = (text: string): readonly string[] =>
    Array.from({ length: limits.packageInstallLinesMax }, () => longest(text));

  it.each(['Could not fetch URL ', 'ERROR: No matching distribution found for a=', '=', "'", '401 '])(
    'is searched in a time that grows with its length: %j',
    (text) => {
      const lines = said(text).map((line) => `${line},x`);
      // One step for each pair of characters would take minutes.
      expect(failure(lines, lines).code).toMatch(/^package_/);
      const end = { ...ended, unreached: [] };
      expect(npmFailure({ spec: 'npm:a@1.0.0', lines, end }).code).toBe('package_install_failed');
    },
  );

  it('is quoted in part', () => {
    const most = limits.packageInstallTailLines * (limits.packageQuotedCharsMax + 1) + 200;
    for (const text of ['ERROR: ', 'ERROR: No matching distribution found for a'])
      expect(failure(said(text)).message.length).toBeLessThan(most);
    const lines = said('npm error ').map((line) => `npm error ${line}`);
    expect(npmFailure({ spec: 'npm:a@1.0.0', lines, end: ended }).message.length).toBeLessThan(most);
  });

  it('has many versions in one line, each of which is known', () => {
    const many = Array.from({ length: 5_000 }, (_, index) => `1.${5_000 - index}`).join(', ');
    expect(failure(notFound('gate==1.2'), versions('gate', many))).toMatchObject({
      code: 'package_wheel_missing',
    });
    expect(limits.packageInstallLineCharsMax).toBeGreaterThan(many.length);
  });
});
