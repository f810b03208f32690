// Makes package-lock.json anew from package.json, in a scratch folder, so that nothing installed leaks into it.
// `node scripts/lock.mjs test/clients` does it for the package in that folder.
//
// Some registries (mirrors above all) lack the binaries of platforms that nobody there uses. npm then leaves
// these optional packages out of the lock, and `npm ci` refuses that lock everywhere. So each one that is
// missing is written in by name and version with the platform that its name says; it is never fetched elsewhere.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const SYSTEMS = {
  android: 'android',
  darwin: 'darwin',
  freebsd: 'freebsd',
  linux: 'linux',
  openharmony: 'openharmony',
  win32: 'win32',
};
const PROCESSORS = ['arm64', 'x64', 'arm', 'ia32', 'ppc64', 'riscv64', 's390x'];

const folder = process.argv[2] ?? '.';
const scratch = mkdtempSync(join(tmpdir(), 'lock-'));
try {
  cpSync(join(folder, 'package.json'), join(scratch, 'package.json'));
  cpSync('.npmrc', join(scratch, '.npmrc'));
  execFileSync('npm', ['install', '--package-lock-only'], {
    cwd: scratch,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const lock = JSON.parse(readFileSync(join(scratch, 'package-lock.json'), 'utf8'));
  let added = 0;
  for (const [path, entry] of Object.entries(lock.packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      if (lock.packages[`node_modules/${name}`] || lock.packages[`${path}/node_modules/${name}`]) continue;
      const words = name.split(/[/-]/);
      const os = words.filter((word) => SYSTEMS[word]);
      const cpu = PROCESSORS.filter((word) => words.includes(word));
      if (os.length === 0 || cpu.length === 0)
        throw new Error(`${name} is missing and its name names no platform`);
      const libc = words.includes('musl') || words.includes('musleabihf') ? { libc: ['musl'] } : {};
      lock.packages[`node_modules/${name}`] = {
        version,
        ...(entry.dev ? { dev: true } : {}),
        optional: true,
        os,
        cpu,
        ...libc,
      };
      added += 1;
    }
  }
  const sorted = Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1));
  writeFileSync(
    join(folder, 'package-lock.json'),
    `${JSON.stringify({ ...lock, packages: Object.fromEntries(sorted) }, null, 2)}\n`,
  );
  console.log(`package-lock.json: ${sorted.length - 1} packages, ${added} of them by platform only`);
} finally {
  rmSync(scratch, { recursive: true });
}
