/**
 * What a program in a cell may ask of the kernel. An allowlist in the manner of Docker's default profile, made
 * narrower: no tracing of other processes, no io_uring, no handles, no sockets but TCP, UDP, unix and route
 * netlink. What is not named here is refused; absence denies.
 *
 * Conditions look at the low 32 bits of an argument only. That is sound because the kernel itself takes each of
 * the arguments tested here as a 32-bit value (`int`, `unsigned int`, or `lower_32_bits` for clone).
 */

/** Error numbers that refusals use, the same on both architectures. */
export const errno = {
  EPERM: 1,
  ENOSYS: 38,
  EPROTONOSUPPORT: 93,
  EAFNOSUPPORT: 97,
} as const;
type Errno = keyof typeof errno;
export type Verdict = 'allow' | Errno;

/** True when `argument & mask` is one of `oneOf`. */
export interface ArgumentTest {
  readonly argument: 0 | 1 | 2 | 3 | 4 | 5;
  /** Absent: all 32 bits. */
  readonly mask?: number;
  readonly oneOf: readonly number[];
}

export interface ConditionalRule {
  /** First match wins. Every test of `when` must hold. */
  readonly cases: readonly { readonly when: readonly ArgumentTest[]; readonly verdict: Verdict }[];
  readonly otherwise: Verdict;
}

const words = (text: string): readonly string[] => text.trim().split(/\s+/);

/** Allowed whatever the arguments are. */
export const allowed: readonly string[] = [
  // Files and directories. `open_by_handle_at` is missing on purpose: it walks around path permissions.
  ...words(`
    access chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2
    fadvise64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr
    flock fremovexattr fsetxattr fstat fstatfs fsync ftruncate futimesat getcwd getdents getdents64 getxattr
    getxattrat inotify_add_watch inotify_init inotify_init1 inotify_rm_watch lchown lgetxattr link linkat
    listxattr listxattrat llistxattr lremovexattr lseek lsetxattr lstat mkdir mkdirat mknod mknodat
    name_to_handle_at newfstatat open openat openat2 readahead readlink readlinkat removexattr removexattrat
    rename renameat renameat2 rmdir setxattr setxattrat stat statfs statx symlink symlinkat sync
    sync_file_range syncfs truncate umask unlink unlinkat utime utimensat utimes
  `),
  // Reading, writing, waiting.
  ...words(`
    epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old
    eventfd eventfd2 pipe pipe2 poll ppoll pread64 preadv preadv2 pselect6 pwrite64 pwritev pwritev2 read readv
    select sendfile signalfd signalfd4 splice tee timerfd_create timerfd_gettime timerfd_settime vmsplice write
    writev
  `),
  // Sockets once made; `socket` and `socketpair` themselves are below.
  ...words(`
    accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmmsg recvmsg sendmmsg
    sendmsg sendto setsockopt shutdown
  `),
  // Memory.
  ...words(`
    brk cachestat madvise map_shadow_stack membarrier mincore mlock mlock2 mlockall mmap mprotect mremap mseal
    msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect process_mrelease remap_file_pages
  `),
  // Processes and threads. `clone` is below.
  ...words(`
    arch_prctl capget capset execve execveat exit exit_group fork futex futex_requeue futex_wait futex_waitv
    futex_wake get_robust_list get_thread_area getcpu getegid geteuid getgid getgroups getpgid getpgrp getpid
    getppid getpriority getresgid getresuid getrlimit getrusage getsid gettid getuid ioprio_get ioprio_set kill
    landlock_add_rule landlock_create_ruleset landlock_restrict_self
    pidfd_open pidfd_send_signal prctl prlimit64 rseq sched_get_priority_max sched_get_priority_min
    sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval sched_setaffinity
    sched_setattr sched_setparam sched_setscheduler sched_yield seccomp set_robust_list set_thread_area
    set_tid_address setfsgid setfsuid setgid setgroups setpgid setpriority setregid setresgid setresuid
    setreuid setrlimit setsid setuid tgkill tkill vfork wait4 waitid
  `),
  // Signals, time, randomness, what the system is.
  ...words(`
    alarm clock_getres clock_gettime clock_nanosleep getitimer getrandom gettimeofday nanosleep pause
    restart_syscall rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend
    rt_sigtimedwait rt_tgsigqueueinfo setitimer sigaltstack sysinfo time timer_create timer_delete
    timer_getoverrun timer_gettime timer_settime times uname
  `),
];

/**
 * What one cell could use up for others. Each answers as on a kernel built without it, which programs are prepared for:
 * they use `/dev/shm` and threads, or do without.
 *
 * Memory that no limit of a process counts and that outlives its mapping: files that are only memory, and what System V keeps
 * until somebody removes it. Linux's own asynchronous I/O, of which the whole machine has a fixed number of requests
 * (`fs.aio-max-nr`). POSIX message queues, whose bytes are counted for a user of the machine, and so for all cells of a
 * gateway that is not root.
 */
const uncounted: readonly string[] = words(`
  memfd_create memfd_secret msgctl msgget msgrcv msgsnd semctl semget semop semtimedop shmat shmctl shmdt shmget
  io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit
  mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink
`);
const absent: ConditionalRule = { cases: [], otherwise: 'ENOSYS' };

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. NEWTIME cannot be given to `clone`. */
const CLONE_NEW_ANY = 0x7e02_0000;

const family = { unix: 1, inet: 2, inet6: 10, netlink: 16 };
const internetSocket: ArgumentTest = { argument: 0, oneOf: [family.inet, family.inet6] };
const netlinkSocket: ArgumentTest = { argument: 0, oneOf: [family.netlink] };

/** Allowed or refused by their arguments. */
export const conditional: Readonly<Record<string, ConditionalRule>> = {
  clone: {
    cases: [{ when: [{ argument: 0, mask: CLONE_NEW_ANY, oneOf: [0] }], verdict: 'allow' }],
    otherwise: 'EPERM',
  },
  // Its flags lie behind a pointer, which a filter cannot read. C libraries fall back to `clone` on ENOSYS.
  clone3: absent,
  ...Object.fromEntries(uncounted.map((name) => [name, absent])),
  socket: {
    cases: [
      { when: [{ argument: 0, oneOf: [family.unix] }], verdict: 'allow' },
      {
        when: [
          internetSocket,
          // SOCK_STREAM and SOCK_DGRAM, under the flags SOCK_CLOEXEC and SOCK_NONBLOCK.
          { argument: 1, mask: 0xf, oneOf: [1, 2] },
          // Default, TCP, UDP: no ICMP, SCTP, DCCP, MPTCP.
          { argument: 2, oneOf: [0, 6, 17] },
        ],
        verdict: 'allow',
      },
      { when: [internetSocket], verdict: 'EPROTONOSUPPORT' },
      // NETLINK_ROUTE only, which `getaddrinfo` and `getifaddrs` ask for the machine's addresses.
      { when: [netlinkSocket, { argument: 2, oneOf: [0] }], verdict: 'allow' },
      { when: [netlinkSocket], verdict: 'EPROTONOSUPPORT' },
    ],
    // vsock, AF_ALG, packet, bluetooth, TIPC, …
    otherwise: 'EAFNOSUPPORT',
  },
  socketpair: {
    cases: [{ when: [{ argument: 0, oneOf: [family.unix] }], verdict: 'allow' }],
    otherwise: 'EAFNOSUPPORT',
  },
  ioctl: {
    // TIOCSTI and TIOCLINUX put characters into a terminal's input, as if a person had typed them.
    cases: [{ when: [{ argument: 1, oneOf: [0x5412, 0x541c] }], verdict: 'EPERM' }],
    otherwise: 'allow',
  },
  personality: {
    // PER_LINUX, UNAME26, and the question what it is. Nothing that weakens address randomisation.
    cases: [{ when: [{ argument: 0, oneOf: [0, 0x2_0000, 0xffff_ffff] }], verdict: 'allow' }],
    otherwise: 'EPERM',
  },
};
