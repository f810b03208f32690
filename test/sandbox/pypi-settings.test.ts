/** Where Python's packages come from, as it is configured. */
import { describe, expect, it } from 'vitest';
import { pypiSettings } from '../../src/sandbox/packages/pypi-settings.ts';

const https = (host: string, port = 443) => ({ host, port, protocol: 'https' });

describe('the index', () => {
  it('is the public one, with the host of its archives', () => {
    expect(pypiSettings({ environment: {} })).toEqual({
      index: 'https://pypi.org/simple/',
      hosts: [https('pypi.org'), https('files.pythonhosted.org')],
    });
  });

  it("is the operator's, before the one of pip's variable; then the public hosts are not reached", () => {
    const environment = { PIP_INDEX_URL: 'https://pip.example.com/root/pypi/+simple/' };
    expect(pypiSettings({ environment })).toEqual({
      index: 'https://pip.example.com/root/pypi/+simple/',
      hosts: [https('pip.example.com')],
    });
    expect(
      pypiSettings({
        index: 'https://index.example.com:8443/simple',
        hosts: [{ host: 'files.example.com', port: 443, protocol: 'https' }],
        python: '/usr/bin/python3.12',
        environment,
      }),
    ).toEqual({
      index: 'https://index.example.com:8443/simple/',
      hosts: [https('index.example.com', 8443), https('files.example.com')],
      python: '/usr/bin/python3.12',
    });
  });

  it("keeps the login of pip's variable apart from the address", () => {
    const environment = { PIP_INDEX_URL: 'https://user%40x:pass%2Fword@pip.example.com/simple' };
    const { index, login } = pypiSettings({ environment });
    expect(index).toBe('https://pip.example.com/simple/');
    expect(login).toMatchObject({ user: 'user@x', host: 'pip.example.com', port: 443, scheme: 'Password' });
    expect(login?.value.reveal()).toBe('pass/word');
  });

  it.each([
    [{ PIP_INDEX_URL: 'https://token@pip.example.com/simple/' }, 'PIP_INDEX_URL'],
    [{ PIP_INDEX_URL: 'https://two%20words:password@pip.example.com/simple/' }, 'PIP_INDEX_URL'],
    [{ PIP_INDEX_URL: 'file:///srv/wheels' }, 'PIP_INDEX_URL'],
  ])('is refused where it cannot be used: %j', (environment, named) => {
    expect(() => pypiSettings({ environment })).toThrow(
      expect.objectContaining({
        code: 'package_registry_invalid',
        message: expect.stringContaining(named),
      }),
    );
  });
});
