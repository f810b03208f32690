// Writes docs/recipes/docker-seccomp.json: the system calls of a container that Sallyport runs in. What cells may do comes
// from the same list as their own filter; to it come the calls that build cells, which Docker's default profile refuses.
//
//   scripts/run scripts/docker-seccomp.mjs           writes the file
//   scripts/run scripts/docker-seccomp.mjs --print   prints it
import { writeFileSync } from 'node:fs';
import { allowed, conditional } from '../src/sandbox/seccomp/allowlist.ts';

/** Namespaces and mounts. A container's root has no more power by them: in its own namespaces the kernel still asks for capabilities. */
const building = words('clone clone3 mount pivot_root sethostname umount2 unshare');

/** Refused in cells because nothing counts them there; in the container, its memory limit does. */
const countedHere = words(`
  memfd_create msgctl msgget msgrcv msgsnd semctl semget semop semtimedop shmat shmctl shmdt shmget
  io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit
  mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink
`);

/** Allowed in cells by their arguments; here whatever those are: the cells' own filter lies over this one. */
const whole = ['ioctl', 'socketpair'];

/** Of sockets: unix, IPv4, IPv6, netlink. Not vsock, AF_ALG, packet, … */
const families = [1, 2, 10, 16];
/** What programs may set: nothing, UNAME26, and the question what it is. */
const personalities = [0, 0x2_0000, 0xffff_ffff];

const byArgument = { socket: families, personality: personalities };

const names = new Set([...allowed, ...building, ...countedHere, ...whole]);
const decided = new Set([...names, ...Object.keys(byArgument)]);
const left = Object.keys(conditional).filter((name) => !decided.has(name) && isUsed(name));
if (left.length > 0) throw new Error(`not decided for containers: ${left.join(', ')}`);

/** Whether a cell may use it with any argument. */
function isUsed(name) {
  const { cases, otherwise } = conditional[name];
  return otherwise === 'allow' || cases.some(({ verdict }) => verdict === 'allow');
}

const profile = {
  defaultAction: 'SCMP_ACT_ERRNO',
  defaultErrnoRet: 1,
  architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_AARCH64'],
  syscalls: [
    { names: [...names].sort((one, other) => (one < other ? -1 : 1)), action: 'SCMP_ACT_ALLOW' },
    ...Object.entries(byArgument).flatMap(([name, values]) =>
      values.map((value) => ({
        names: [name],
        action: 'SCMP_ACT_ALLOW',
        args: [{ index: 0, value, op: 'SCMP_CMP_EQ' }],
      })),
    ),
  ],
};

const text = `${JSON.stringify(profile, null, 2)}\n`;
if (process.argv.includes('--print')) process.stdout.write(text);
else writeFileSync(new URL('../docs/recipes/docker-seccomp.json', import.meta.url), text);

function words(list) {
  return list.trim().split(/\s+/);
}
