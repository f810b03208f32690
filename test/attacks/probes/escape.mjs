// Tries from Node to get out of a cell: by what Node itself can do, by the programs of the system, and, where its first
// argument names the compiled `syscall-addon.c`, by system calls that it makes as a native part of a package would.
// Prints what each attempt came to, as JSON: `ok`, or the error's name. To be started as the leader of a session.
// Further arguments: the names of the attempts to make, or none for all of them.
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { constants, setPriority } from 'node:os';

const [addon = '', ...wanted] = process.argv.slice(2);
const { HOST_FILE = '', HOST_PID = '' } = process.env;
const names = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));
const signals = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));

class Refused extends Error {
  constructor(code) {
    super(code);
    this.code = code;
  }
}
const fails = (code) => {
  throw new Refused(code);
};

/** Opens for writing and closes again. */
const opens = (path) => closeSync(openSync(path, 'r+'));

function anySetting() {
  const refusals = new Set();
  const pending = ['/proc/sys'];
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) pending.push(path);
      else {
        try {
          return opens(path);
        } catch (error) {
          refusals.add(error.code);
        }
      }
    }
  }
  return fails(refusals.has('EROFS') ? 'EROFS' : 'EACCES');
}

function throughOtherProcesses() {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    let descriptors = [];
    try {
      descriptors = readdirSync(`/proc/${pid}/fd`);
    } catch {
      // Another user's.
    }
    if (existsSync(`/proc/${pid}/root/${HOST_FILE}`)) return;
    for (const way of ['cwd', ...descriptors.map((name) => `fd/${name}`)])
      if (existsSync(`/proc/${pid}/${way}/${'../'.repeat(9)}${HOST_FILE}`)) return;
  }
  fails('ENOENT');
}

const attempts = {
  'ordinary: process, file': () => {
    writeFileSync('/tmp/probe-ordinary', 'x');
    rmSync('/tmp/probe-ordinary');
    if (spawnSync('/usr/bin/true').status !== 0) fails('EIO');
  },
  'write to /usr': () => writeFileSync('/usr/probe-of-sallyport', ''),
  'write to /': () => mkdirSync('/probe-of-sallyport'),
  'write to /proc/sys': () => opens('/proc/sys/kernel/core_pattern'),
  'write to any of /proc/sys': anySetting,
  'host file through other processes': throughOtherProcesses,
  'signal to a process of the host': () => process.kill(Number(HOST_PID), 0),
  'set user id': () => {
    const { error } = spawnSync('/usr/bin/true', { uid: 1 });
    if (error) throw error;
  },
  'higher priority': () => setPriority(0, -5),
  'spared when memory is short': () => writeFileSync('/proc/self/oom_score_adj', '-500'),
};

const programs = {
  'unshare(1), user': ['unshare', '--user', 'true'],
  'unshare(1), everything': ['unshare', '--map-root-user', '--mount', '--net', '--pid', '--fork', 'true'],
  'nsenter(1)': ['nsenter', '--target', String(process.pid), '--uts', 'true'],
  'mount(8)': ['mount', '-t', 'tmpfs', 'none', '/tmp'],
  'mount(8), bind': ['mount', '--bind', '/usr', '/tmp'],
  'mount(8), writable again': ['sh', '-c', 'mount --bind /usr /usr; mount -o remount,rw,bind /usr'],
  'chroot(8)': ['/usr/sbin/chroot', '/', '/usr/bin/true'],
  'setpriv(1)': ['setpriv', '--reuid=0', '--regid=0', '--keep-groups', 'true'],
  'hostname(1)': ['sh', '-c', 'echo x >/proc/sys/kernel/hostname'],
};
for (const [name, [program, ...args]] of Object.entries(programs)) {
  attempts[name] = () => {
    const { status, error } = spawnSync(program, args, { stdio: 'ignore' });
    if (error) throw error;
    if (status !== 0) fails('refused');
  };
}

/** System calls, x86-64 and arm64. */
const numbers = {
  acct: [163, 89],
  add_key: [248, 217],
  bpf: [321, 280],
  capset: [126, 91],
  chroot: [161, 51],
  clone: [56, 220],
  clone3: [435, 435],
  fanotify_init: [300, 262],
  fsopen: [430, 430],
  getpid: [39, 172],
  init_module: [175, 105],
  io_uring_setup: [425, 425],
  ioctl: [16, 29],
  kcmp: [312, 272],
  kexec_load: [246, 104],
  keyctl: [250, 219],
  mount: [165, 40],
  move_mount: [429, 429],
  open_tree: [428, 428],
  perf_event_open: [298, 241],
  personality: [135, 92],
  pidfd_getfd: [438, 438],
  pidfd_open: [434, 434],
  pivot_root: [155, 41],
  process_vm_readv: [310, 270],
  ptrace: [101, 117],
  quotactl: [179, 60],
  reboot: [169, 142],
  setns: [308, 268],
  swapon: [167, 224],
  syslog: [103, 116],
  umount2: [166, 39],
  unshare: [272, 97],
  userfaultfd: [323, 282],
};
const numberOf = (name) => numbers[name][process.arch === 'arm64' ? 1 : 0];
const text = (string) => Buffer.from(`${string}\0`);
const words = (...values) => Buffer.from(new Int32Array(values).buffer);
const [NEWUSER, NEWUTS] = [0x1000_0000, 0x400_0000];

function nativeAttempts({ call, here }) {
  const checked = (make, number, values) => {
    const result = make(number, ...values);
    if (result <= -1000) fails(signals.get(-1000 - result));
    if (result < 0) fails(names.get(-result) ?? String(result));
    return result;
  };
  const does = (name, ...values) => checked(call, numberOf(name), values);
  /** Arguments that no kernel takes: any complaint but a refusal shows that the way is open. */
  const reaches = (name, ...values) => {
    try {
      does(name, ...values);
    } catch (error) {
      if (['EPERM', 'EACCES', 'ENOSYS'].includes(error.code)) throw error;
    }
  };
  const unshares = (flags) => () => does('unshare', flags);
  const clone3 = Buffer.from(new BigUint64Array([BigInt(NEWUSER), 0n, 0n, 0n, 17n, 0n, 0n, 0n]).buffer);
  const perf = Buffer.alloc(112);
  perf.writeUInt32LE(1, 0);
  perf.writeUInt32LE(112, 4);
  const bpf = Buffer.alloc(128);
  [1, 4, 4, 1].forEach((value, index) => bpf.writeUInt32LE(value, 4 * index));

  function terminalInput() {
    const main = openSync('/dev/ptmx', 'r+');
    const which = Buffer.alloc(4);
    checked(here, numberOf('ioctl'), [main, 0x4004_5431, Buffer.alloc(4)]); // TIOCSPTLCK
    checked(here, numberOf('ioctl'), [main, 0x8004_5430, which]); // TIOCGPTN
    const other = openSync(`/dev/pts/${which.readUInt32LE()}`, 'r+');
    here(numberOf('ioctl'), other, 0x540e, 0); // TIOCSCTTY
    checked(here, numberOf('ioctl'), [other, 0x5412, text('x')]); // TIOCSTI
  }
  function anyCapability() {
    const codes = Array.from({ length: 32 }, (_, number) => {
      const bit = (1 << number) | 0;
      return call(numberOf('capset'), words(0x2008_0522, 0), words(bit, bit, 0, 0, 0, 0));
    });
    if (!codes.includes(0)) fails(names.get(-codes[0]));
  }

  return {
    'unshare user': unshares(NEWUSER),
    'unshare net': unshares(NEWUSER | 0x4000_0000),
    'unshare mounts': unshares(0x2_0000),
    'unshare processes': unshares(0x2000_0000),
    'unshare ipc': unshares(0x800_0000),
    'unshare names': unshares(NEWUTS),
    'unshare cgroups': unshares(0x200_0000),
    'unshare time': unshares(0x80),
    'clone user': () => does('clone', NEWUSER | 17),
    'clone3 user': () => does('clone3', clone3, 64),
    setns: () => does('setns', openSync('/proc/self/ns/uts', 'r'), 0),
    'setns by process': () => does('setns', checked(here, numberOf('pidfd_open'), [process.pid, 0]), NEWUTS),
    'mount tmpfs': () => reaches('mount', text('none'), text('/no/such/place'), text('tmpfs'), 0, 0),
    'mount bind': () => reaches('mount', text('/usr'), text('/no/such/place'), 0, 4096, 0),
    'remount writable': () => reaches('mount', text('none'), text('/no/such/place'), 0, 32 | 4096, 0),
    umount: () => reaches('umount2', text('/no/such/place'), 0),
    pivot_root: () => reaches('pivot_root', text('/no/such/place'), text('/no/such/place')),
    fsopen: () => does('fsopen', text('tmpfs'), 0),
    'open_tree clone': () => does('open_tree', -100, text('/'), 1),
    move_mount: () => reaches('move_mount', -1, text(''), -1, text(''), 0),
    chroot: () => does('chroot', text('/usr')),
    ptrace: () => reaches('ptrace', 16, 0x7fff_fff0, 0, 0),
    process_vm_readv: () =>
      reaches('process_vm_readv', 0x7fff_fff0, Buffer.alloc(16), 1, Buffer.alloc(16), 1, 0),
    pidfd_getfd: () => reaches('pidfd_getfd', -1, 0, 0),
    kcmp: () => does('kcmp', process.pid, process.pid, 0, 0, 0),
    keyctl: () => does('keyctl', 0, -3, 1),
    add_key: () => does('add_key', text('user'), text('probe'), text('x'), 1, -3),
    bpf: () => does('bpf', 0, bpf, 128),
    perf_event_open: () => does('perf_event_open', perf, 0, -1, -1, 0),
    io_uring: () => does('io_uring_setup', 4, Buffer.alloc(120)),
    userfaultfd: () => does('userfaultfd', 1),
    kexec: () => reaches('kexec_load', 0, 99, 0, 0),
    init_module: () => reaches('init_module', 0, 0, 0),
    swapon: () => reaches('swapon', text('/no/such/file'), 0),
    acct: () => reaches('acct', text('/no/such/file')),
    reboot: () => reaches('reboot', 1, 2, 3, 0),
    quotactl: () => reaches('quotactl', 0, 0, 0, 0),
    syslog: () => does('syslog', 3, Buffer.alloc(64), 64),
    'personality without randomisation': () => does('personality', 0x4_0000),
    'terminal input': terminalInput,
    'any capability': anyCapability,
    fanotify: () => does('fanotify_init', 0, 0),
    ...(process.arch === 'x64'
      ? { 'x32 unshare user': () => checked(call, 0x4000_0000 + numberOf('unshare'), [NEWUSER]) }
      : {}),
  };
}

if (addon !== '') {
  const native = { exports: {} };
  process.dlopen(native, addon);
  Object.assign(attempts, nativeAttempts(native.exports));
}

const outcomes = {};
for (const [name, attempt] of Object.entries(attempts)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  try {
    attempt();
    outcomes[name] = 'ok';
  } catch (error) {
    outcomes[name] = error.info?.code ?? error.code ?? String(error);
  }
}
process.stdout.write(`${JSON.stringify(outcomes)}\n`);
for (const path of ['/usr/probe-of-sallyport', '/probe-of-sallyport']) {
  try {
    rmSync(path, { recursive: true });
  } catch {
    // It was not made.
  }
}
