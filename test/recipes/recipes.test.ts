/** The files for those who run the machine: in step with what the doctor asks for, and well formed as far as can be told here. */
import { execFile, execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import type { HostEvidence } from '../../src/sandbox/host-evidence.ts';
import { namespaceFix } from '../../src/sandbox/namespace-fix.ts';
import { shownIn } from '../own-process.ts';
import { canFilter, recipes, rulesOf, runUnder, storedProfile } from './container-filter.ts';

const read = (name: string): string => readFileSync(join(recipes, name), 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'sallyport-recipes-'));
chmodSync(folder, 0o755);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const evidence = (over: Partial<HostEvidence>): HostEvidence => ({
  tools: { found: {}, missing: [] },
  bubblewrap: '0.8.0',
  root: false,
  kernel: '6.1.0',
  node: '/usr/bin/node',
  nodeOpen: true,
  setting: (name) => (name === 'user/max_user_namespaces' ? '1000' : null),
  container: null,
  filtered: true,
  inspects: false,
  appArmor: null,
  procCovered: true,
  namespaces: { ok: false, said: '' },
  processes: null,
  ipv6: true,
  ...over,
});

describe('the unit of systemd', () => {
  const unit = read('sallyport.service');
  const settings = new Map(
    [...unit.matchAll(/^([A-Za-z]+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value]),
  );

  it('has none of what the doctor says to leave out', () => {
    const named = [...namespaceFix(evidence({})).matchAll(/([A-Za-z]+)=/g)].map(([, name = '']) => name);
    expect(named.length).toBeGreaterThan(4);
    // And what else would take away a call, or a mount, that cells are made by.
    const others = [
      'ProtectHostname',
      'ProtectControlGroups',
      'MemoryDenyWriteExecute',
      'PrivateUsers',
      'PrivateNetwork',
    ];
    expect([...named, ...others].filter((name) => settings.has(name))).toEqual([]);
  });

  it('lets no child gain anything, and lets the kernel hold what cells take', () => {
    expect(settings.get('NoNewPrivileges')).toBe('yes');
    expect(settings.get('CapabilityBoundingSet')).toBe('');
    expect(settings.get('Delegate')?.split(' ').toSorted()).toEqual(['cpu', 'memory', 'pids']);
    expect(settings.get('RestrictAddressFamilies')?.split(' ')).toContain('AF_NETLINK');
  });

  // Where systemd is installed, whether or not it runs.
  it.skipIf(!existsSync('/usr/bin/systemd-analyze'))('is understood by systemd, every line', async () => {
    const file = join(folder, 'sallyport.service');
    const analyze = (text: string) =>
      new Promise<string>((done) => {
        writeFileSync(file, text.replaceAll('/opt/sallyport/bin/sallyport.mjs', '/bin/true'));
        execFile('/usr/bin/systemd-analyze', ['verify', file], { timeout: 30_000 }, (_, out, err) =>
          done(out + err),
        );
      });
    expect(await analyze(unit)).toBe('');
    expect(await analyze(unit.replace('Delegate=', 'Delgate='))).toContain('Delgate');
  });
});

describe('the pod of Kubernetes', () => {
  const documents = parseAllDocuments(read('kubernetes.yaml')).map((document): unknown => {
    expect('errors' in document ? document.errors : ['empty']).toEqual([]);
    return 'toJS' in document ? document.toJS() : null;
  });
  /** Of core/v1 what matters here; other fields of these objects are as free as there. */
  const Deployment = z.object({
    apiVersion: z.literal('apps/v1'),
    kind: z.literal('Deployment'),
    spec: z.strictObject({
      replicas: z.literal(1),
      strategy: z.strictObject({ type: z.literal('Recreate') }),
      selector: z.object({ matchLabels: z.record(z.string(), z.string()) }),
      template: z.strictObject({
        metadata: z.object({ labels: z.record(z.string(), z.string()) }),
        spec: z.strictObject({
          hostUsers: z.literal(false),
          automountServiceAccountToken: z.literal(false),
          securityContext: z.strictObject({
            runAsNonRoot: z.literal(true),
            runAsUser: z.number().min(1),
            runAsGroup: z.number().min(1),
            fsGroup: z.number().min(1),
            seccompProfile: z.strictObject({ type: z.literal('Localhost'), localhostProfile: z.string() }),
            appArmorProfile: z.strictObject({ type: z.literal('Unconfined') }),
          }),
          containers: z
            .array(
              z.strictObject({
                name: z.string(),
                image: z.string(),
                env: z.array(z.strictObject({ name: z.string(), value: z.string() })),
                ports: z.array(z.strictObject({ name: z.string(), containerPort: z.number() })),
                securityContext: z.strictObject({
                  allowPrivilegeEscalation: z.literal(false),
                  capabilities: z.strictObject({ drop: z.tuple([z.literal('ALL')]) }),
                  procMount: z.literal('Unmasked'),
                }),
                readinessProbe: z.strictObject({ tcpSocket: z.strictObject({ port: z.string() }) }),
                volumeMounts: z.array(z.object({ name: z.string(), mountPath: z.string() })),
              }),
            )
            .length(1),
          volumes: z.array(z.object({ name: z.string() })),
        }),
      }),
    }),
  });

  it('is what its parts refer to, and has the securityContext that cells need', () => {
    const deployment = Deployment.parse(documents[1]);
    const { selector, template } = deployment.spec;
    expect(template.metadata.labels).toEqual(selector.matchLabels);
    expect(documents[2]).toMatchObject({ kind: 'Service', spec: { selector: selector.matchLabels } });
    const [container] = template.spec.containers;
    expect(container?.volumeMounts.map(({ name }) => name)).toEqual(
      template.spec.volumes.map(({ name }) => name),
    );
    const mounted = container?.volumeMounts.map(({ mountPath }) => mountPath) ?? [];
    const home = container?.env.find(({ name }) => name === 'SALLYPORT_HOME')?.value ?? '';
    expect(mounted.some((path) => home.startsWith(`${path}/`))).toBe(true);
  });

  it('has every field that the doctor names', () => {
    const fix = namespaceFix(evidence({ container: 'kubernetes' }));
    for (const field of ['seccompProfile', 'appArmorProfile', 'procMount', 'hostUsers']) {
      expect(fix).toContain(field);
      expect(read('kubernetes.yaml')).toContain(`${field}:`);
    }
  });
});

describe('the profile of AppArmor', () => {
  it('has the place that the doctor fills in, once, and allows user namespaces', () => {
    const profile = read('apparmor-sallyport');
    expect(profile.match(/@NODE@/g)).toHaveLength(1);
    expect(profile).toContain('  userns,\n');
    const setting = (name: string): string => (name.startsWith('kernel/apparmor') ? '1' : '1000');
    const command =
      namespaceFix(evidence({ setting, filtered: false, procCovered: false })).split(': ')[1] ?? '';
    const [sed = ''] = command.split(' | ');
    expect(execFileSync('/bin/sh', ['-c', sed], { encoding: 'utf8' })).toBe(
      profile.replace('@NODE@', '/usr/bin/node'),
    );
  });
});

describe('docs/install.md', () => {
  const page = readFileSync(resolve(recipes, '../install.md'), 'utf8');

  it('names every recipe', () => {
    expect(readdirSync(recipes).filter((name) => !page.includes(`recipes/${name}`))).toEqual([]);
  });

  it('starts containers with the options that the doctor asks for', () => {
    const fix = namespaceFix(evidence({ container: 'docker' }));
    const options = fix.match(/--security-opt \S+/g) ?? [];
    expect(options).toHaveLength(2);
    for (const option of options) expect(page).toContain(option);
  });
});

/** Ways in which containers are unlike machines, each made here. */
describe.skipIf(!canFilter || process.getuid?.() !== 0)('in a container', () => {
  const shown = shownIn(folder);
  const DOCTOR = join(shown.checkout, 'test/recipes/doctor-checks.ts');
  const env = { PATH: '/usr/bin:/bin', TMPDIR: '/tmp', NODE_NO_WARNINGS: '1' };
  interface Check {
    readonly name: string;
    readonly ok: boolean;
    readonly fix?: string;
  }
  async function doctor(...before: string[]): Promise<readonly Check[]> {
    const command = [...shown.before, ...before, shown.node, DOCTOR];
    const ran = await runUnder(rulesOf(storedProfile()), folder, command, env);
    expect(ran.stderr).toBe('');
    return JSON.parse(ran.stdout) as Check[]; // what doctor-checks.ts prints
  }

  it('cells are built by an ordinary user without any capability', async () => {
    const user = [
      '--reuid=23456',
      '--regid=23456',
      '--clear-groups',
      '--bounding-set=-all',
      '--inh-caps=-all',
    ];
    const checks = await doctor('/usr/bin/setpriv', ...user);
    expect(checks.filter(({ ok }) => !ok)).toEqual([]);
    expect(checks.some(({ name }) => name === 'trial cell')).toBe(true);
  });

  it('cells are not built under a covered /proc, and the doctor says what uncovers it', async () => {
    const cover = 'mount -t tmpfs none /proc/irq && exec "$@"';
    const checks = await doctor(
      '/usr/bin/unshare',
      '--mount',
      '--propagation=private',
      '/bin/sh',
      '-c',
      cover,
      'sh',
    );
    const found = checks.find(({ name }) => name === 'user namespaces');
    expect(found?.ok).toBe(false);
    expect(found?.fix).toMatch(/systempaths=unconfined|unmask=ALL|procMount|ProtectKernelTunables=/);
  });
});
