/**
 * Where cells can run at all, decided from the name of the system alone: nothing of `/proc` or the file system is
 * read, so that a machine of another kind gets a refusal that says what to do instead of a file that it lacks. Pure.
 */
import { hostArchitecture } from './host.ts';
import type { Architecture } from './seccomp/filter.ts';

/** As `process` has them. */
export interface HostSystem {
  readonly platform: string;
  readonly arch: string;
}

export type SystemCheck =
  | { readonly ok: true; readonly architecture: Architecture }
  /** `found` says what this machine is, `alternatives` what can be done instead, in sentences. */
  | { readonly ok: false; readonly found: string; readonly alternatives: string };

const NAMES: Readonly<Record<string, string>> = {
  darwin: 'macOS',
  win32: 'Windows',
  freebsd: 'FreeBSD',
  openbsd: 'OpenBSD',
  android: 'Android',
  linux: 'Linux',
};

/** Each of these has a kernel of its own, which is what cells are made by. */
const ALTERNATIVES: Readonly<Record<string, string>> = {
  darwin:
    'Run Sallyport in a Linux virtual machine (Lima, OrbStack, UTM), or in a Linux container (Docker Desktop, Podman).',
  win32: 'Run Sallyport in WSL 2, in a Linux virtual machine, or in a Linux container (Docker Desktop).',
  linux: 'Run Sallyport on a machine of one of these kinds, or in a virtual machine that is one.',
};
const ANYWHERE = 'Run Sallyport in a Linux virtual machine.';

export function checkSystem({ platform, arch }: HostSystem): SystemCheck {
  const architecture = hostArchitecture(arch);
  if (platform === 'linux' && architecture !== null) return { ok: true, architecture };
  return {
    ok: false,
    found: `${NAMES[platform] ?? platform} on ${arch}`,
    alternatives: ALTERNATIVES[platform] ?? ANYWHERE,
  };
}
