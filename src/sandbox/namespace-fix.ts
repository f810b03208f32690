/** Why namespaces are refused, and the exact thing to do about it. Pure. */
import { fileURLToPath } from 'node:url';
import type { Container, HostEvidence } from './host-evidence.ts';

/** Files that come with Sallyport, for those who run the machine. */
const recipe = (name: string): string =>
  fileURLToPath(new URL(`../../docs/recipes/${name}`, import.meta.url));

const sysctl = (line: string): string =>
  `echo ${line} | sudo tee /etc/sysctl.d/60-sallyport.conf && sudo sysctl --system`;

/** Settings that forbid namespaces when they are 0, and what they are by default. */
const limitsOfNamespaces = [
  ['user/max_user_namespaces', 'user.max_user_namespaces=65536'],
  ['user/max_net_namespaces', 'user.max_net_namespaces=65536'],
  ['user/max_mnt_namespaces', 'user.max_mnt_namespaces=65536'],
  ['user/max_pid_namespaces', 'user.max_pid_namespaces=65536'],
] as const;

/** For user, network and mount namespaces, or a fresh /proc, that were refused. */
export function namespaceFix(evidence: HostEvidence): string {
  const { setting, container, namespaces, root } = evidence;
  if (root && namespaces?.said.startsWith('setpriv:') === true) return rootFix();
  if (setting('kernel/unprivileged_userns_clone') === '0')
    return sysctl('kernel.unprivileged_userns_clone=1');
  const forbidden = limitsOfNamespaces.find(([name]) => setting(name) === '0');
  if (forbidden !== undefined) return sysctl(forbidden[1]);
  if (container === 'kubernetes') return kubernetesFix();
  const options = containerOptions(evidence);
  if (options.length > 0) return container === null ? unitFix() : containerFix(container, options);
  if (setting('kernel/apparmor_restrict_unprivileged_userns') === '1') return appArmorFix(evidence);
  if (setting('user/max_user_namespaces') === null)
    return 'This kernel has no user namespaces (CONFIG_USER_NS): use a kernel of your distribution.';
  return 'Ask whoever runs this machine to allow unprivileged user namespaces.';
}

/** What a container has to be started with, of what is not there now. */
function containerOptions({
  container,
  filtered,
  namespaces,
  appArmor,
  procCovered,
}: HostEvidence): string[] {
  return [
    ...(filtered && namespaces?.ok === false ? ['seccomp=docker-seccomp.json'] : []),
    ...(container !== null && appArmor !== null ? ['apparmor=unconfined'] : []),
    ...(procCovered ? ['systempaths=unconfined'] : []),
  ];
}

function containerFix(container: Container, options: readonly string[]): string {
  const program = container === 'podman' ? 'podman' : 'docker';
  // Podman's name for it.
  const given = options.map((option) =>
    container === 'podman' && option === 'systempaths=unconfined' ? 'unmask=ALL' : option,
  );
  const copy = given.some((option) => option.startsWith('seccomp='))
    ? `. The file comes with Sallyport; get it out first: ${program} cp CONTAINER:${recipe('docker-seccomp.json')} .`
    : '';
  return `Start this container with: ${program} run ${given.map((option) => `--security-opt ${option}`).join(' ')} …${copy}`;
}

/** Root of a container that was left without the capabilities to be anybody else. */
const rootFix = (): string =>
  'Sallyport is root here, and may not become another user, which cells run as. Run it as an ordinary user (docker run --user 1000), or leave it CAP_SETUID and CAP_SETGID.';

/** No mark of a container, so most likely a unit of systemd that is stricter than cells can bear. */
const unitFix = (): string =>
  `Whoever starts Sallyport filters its system calls or covers parts of /proc. A systemd unit: leave out RestrictNamespaces=, SystemCallFilter=, ProtectKernelTunables=, ProtectKernelLogs=, ProtectProc= and ProcSubset=, as ${recipe('sallyport.service')} does. A container: seccomp=${recipe('docker-seccomp.json')} and systempaths=unconfined, as docs/install.md says.`;

const kubernetesFix = (): string =>
  `Give the pod the securityContext of ${recipe('kubernetes.yaml')}: seccompProfile Localhost, appArmorProfile Unconfined, procMount Unmasked, and hostUsers: false.`;

/** Ubuntu 23.10 and later. The profile is for the Node that runs Sallyport, and holds for what that starts. */
function appArmorFix({ node }: HostEvidence): string {
  const place = '/etc/apparmor.d/sallyport';
  return (
    `AppArmor refuses user namespaces to programs without a profile. Give Sallyport one: ` +
    `sed 's#@NODE@#${node}#' ${recipe('apparmor-sallyport')} | sudo tee ${place} && sudo apparmor_parser -r ${place}`
  );
}
