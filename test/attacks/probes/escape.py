"""Tries to get out of a cell, or at parts of the kernel that lead out. Prints what each attempt came to."""

import ctypes
import errno
import fcntl
import mmap
import os
import platform
import pty
import signal
import struct
import time

from attempts import Refused, call, libc, number, reaches_kernel, report

NEWTIME, NEWNS, NEWCGROUP, NEWUTS = 0x80, 0x20000, 0x2000000, 0x4000000
NEWIPC, NEWUSER, NEWPID, NEWNET = 0x8000000, 0x10000000, 0x20000000, 0x40000000

# A file and a process of the host, by the names that they have there.
HOST_FILE, HOST_PID = os.environ["HOST_FILE"], int(os.environ["HOST_PID"])


def clone(flags):
    child = call("clone", flags | signal.SIGCHLD, 0, 0, 0, 0)
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def clone3(flags):
    arguments = ctypes.create_string_buffer(struct.pack("8Q", flags, 0, 0, 0, signal.SIGCHLD, 0, 0, 0))
    child = call("clone3", arguments, 64)
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def with_namespace(attempt):
    """A mount namespace first, where that is possible: so that the control leaves the host as it was."""

    def run():
        libc.unshare(NEWNS)
        libc.mount(b"none", b"/", None, 0x44000, None)
        attempt()

    return run


def checked(result):
    if result < 0:
        raise Refused(ctypes.get_errno())


def mount():
    checked(libc.mount(b"none", b"/tmp", b"tmpfs", 0, None))


def bind_over():
    checked(libc.mount(b"/usr", b"/tmp", None, 4096, None))


def remount_writable():
    # Outside, /usr is no mount of its own yet.
    libc.mount(b"/usr", b"/usr", None, 4096, None)
    checked(libc.mount(b"none", b"/usr", None, 32 | 4096, None))


def pivot_root():
    checked(libc.mount(b"none", b"/tmp", b"tmpfs", 0, None))
    os.mkdir("/tmp/old")
    call("pivot_root", b"/tmp", b"/tmp/old")


def sleeping_child():
    child = os.fork()
    if child == 0:
        time.sleep(30)
        os._exit(0)
    return child


def ptrace_attach():
    child = sleeping_child()
    try:
        checked(libc.ptrace(16, child, 0, 0))
    finally:
        os.kill(child, signal.SIGKILL)


def process_vm_readv():
    child = sleeping_child()
    try:
        source = ctypes.create_string_buffer(b"of the parent, and so of the child")
        target = ctypes.create_string_buffer(8)
        local = struct.pack("2Q", ctypes.addressof(target), 8)
        remote = struct.pack("2Q", ctypes.addressof(source), 8)
        call("process_vm_readv", child, local, 1, remote, 1, 0)
    finally:
        os.kill(child, signal.SIGKILL)


def pidfd_getfd():
    child = sleeping_child()
    try:
        call("pidfd_getfd", call("pidfd_open", child, 0), 0, 0)
    finally:
        os.kill(child, signal.SIGKILL)


def open_by_handle():
    """The way out of early container engines: a file by its number, whatever the path."""
    handle = ctypes.create_string_buffer(struct.pack("Ii", 128, 0) + bytes(128))
    mount_id = ctypes.c_int()
    call("name_to_handle_at", -100, b"/usr/bin/env", handle, ctypes.byref(mount_id), 0)
    place = os.open("/usr", os.O_RDONLY)
    call("open_by_handle_at", place, handle, os.O_RDONLY)


def setns():
    call("setns", os.open("/proc/self/ns/uts", os.O_RDONLY), 0)


def tiocsti():
    """Types a command into the terminal that the process is attached to."""
    os.setsid()
    _, slave = pty.openpty()
    fcntl.ioctl(slave, 0x540E, 0)
    fcntl.ioctl(slave, 0x5412, b"x")


def perf():
    attributes = ctypes.create_string_buffer(struct.pack("II", 1, 112) + bytes(104))
    call("perf_event_open", attributes, 0, -1, -1, 0)


def bpf():
    call("bpf", 0, struct.pack("4I", 1, 4, 4, 1) + bytes(112), 128)


def io_uring():
    call("io_uring_setup", 4, ctypes.create_string_buffer(120))


def machine_code(code):
    """Runs machine code of our own: what a seccomp filter by number alone does not see."""
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    return ctypes.CFUNCTYPE(ctypes.c_int)(address)()


def int80(arguments):
    """A system call through the 32-bit entry: eax, ebx, ecx."""

    def run():
        eax, ebx = arguments
        code = b"\x53\xb8" + struct.pack("<I", eax) + b"\xbb" + struct.pack("<I", ebx) + b"\x31\xc9\xcd\x80\x5b\xc3"
        result = machine_code(code)
        if result < 0:
            raise Refused(-result)

    return run


def device_node():
    path = f"/tmp/probe-device-{os.getpid()}"
    os.mknod(path, 0o20600, os.makedev(1, 1))
    os.remove(path)


def x32():
    call(0x40000000 | number("getpid"))


def map_ids():
    """The root user of a namespace of one's own."""
    outer = os.getuid()
    libc.unshare(NEWUSER)
    with open("/proc/self/uid_map", "wb", buffering=0) as file:
        file.write(b"0 %d 1" % outer)


def settings():
    """Some settings of the kernel belong to a namespace, and so to the user in whose name it was made."""
    refusals = set()
    for folder, _, names in os.walk("/proc/sys"):
        for name in names:
            try:
                os.close(os.open(os.path.join(folder, name), os.O_WRONLY))
                return
            except OSError as error:
                refusals.add(error.errno)
    raise Refused(errno.EROFS if errno.EROFS in refusals else errno.EACCES)


def through_other_processes():
    """What others have for their root, their folder and their descriptors, one may walk through."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            descriptors = os.listdir(f"/proc/{pid}/fd")
        except OSError:
            descriptors = []
        for way in ["root", "cwd", *(f"fd/{name}" for name in descriptors)]:
            path = f"/proc/{pid}/{way}/{HOST_FILE if way == 'root' else '../' * 9 + HOST_FILE}"
            if os.path.exists(path):
                return
    raise Refused(errno.ENOENT)


def any_capability():
    for number in range(32):
        try:
            bit = 1 << number
            call("capset", struct.pack("Ii", 0x2008_0522, 0), struct.pack("6I", bit, bit, 0, 0, 0, 0))
            return
        except Refused as refused:
            last = refused
    raise last


def spare():
    with open("/proc/self/oom_score_adj", "wb", buffering=0) as file:
        file.write(b"-500")


def open_files():
    """More of what it has a limit for."""
    call("prlimit64", 0, 7, struct.pack("2Q", 65_536, 1_048_576), 0)


attempts = {
    "ordinary: fork, file, thread": lambda: clone(0),
    "unshare user": lambda: call("unshare", NEWUSER),
    "unshare net": lambda: call("unshare", NEWUSER | NEWNET),
    "unshare mounts": lambda: call("unshare", NEWNS),
    "unshare processes": lambda: call("unshare", NEWPID),
    "unshare ipc": lambda: call("unshare", NEWIPC),
    "unshare names": lambda: call("unshare", NEWUTS),
    "unshare cgroups": lambda: call("unshare", NEWCGROUP),
    "unshare time": lambda: call("unshare", NEWTIME),
    "root of an own namespace": map_ids,
    "clone user": lambda: clone(NEWUSER),
    "clone3 user": lambda: clone3(NEWUSER),
    "setns": setns,
    "setns by process": lambda: call("setns", call("pidfd_open", os.getpid(), 0), NEWUTS),
    "mount tmpfs": with_namespace(mount),
    "mount bind": with_namespace(bind_over),
    "remount writable": with_namespace(remount_writable),
    "umount": with_namespace(lambda: reaches_kernel("umount2", b"/no/such/place", 0)),
    "pivot_root": with_namespace(pivot_root),
    "fsopen": lambda: call("fsopen", b"tmpfs", 0),
    "open_tree clone": lambda: call("open_tree", -100, b"/", 1),
    "move_mount": lambda: reaches_kernel("move_mount", -1, b"", -1, b"", 0),
    "chroot": lambda: os.chroot("/usr"),
    "ptrace": ptrace_attach,
    "process_vm_readv": process_vm_readv,
    "pidfd_getfd": pidfd_getfd,
    "kcmp": lambda: call("kcmp", os.getpid(), os.getpid(), 0, 0, 0),
    "keyctl": lambda: call("keyctl", 0, -3, 1),
    "add_key": lambda: call("add_key", b"user", b"probe", b"x", 1, -3),
    "bpf": bpf,
    "perf_event_open": perf,
    "io_uring": io_uring,
    "userfaultfd": lambda: call("userfaultfd", 1),
    "open_by_handle_at": open_by_handle,
    "kexec": lambda: reaches_kernel("kexec_load", 0, 99, 0, 0),
    "init_module": lambda: reaches_kernel("init_module", 0, 0, 0),
    "swapon": lambda: reaches_kernel("swapon", b"/no/such/file", 0),
    "acct": lambda: reaches_kernel("acct", b"/no/such/file"),
    "reboot": lambda: reaches_kernel("reboot", 1, 2, 3, 0),
    "quotactl": lambda: reaches_kernel("quotactl", 0, 0, 0, 0),
    "syslog": lambda: call("syslog", 3, ctypes.create_string_buffer(64), 64),
    "personality without randomisation": lambda: call("personality", 0x40000),
    "terminal input": tiocsti,
    "device node": device_node,
    "write to /usr": lambda: os.close(os.open("/usr/probe-of-sallyport", os.O_CREAT | os.O_WRONLY)),
    "write to /": lambda: os.mkdir("/probe-of-sallyport"),
    "write to /proc/sys": lambda: os.close(os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY)),
    "write to any of /proc/sys": settings,
    "host file through other processes": through_other_processes,
    "signal to a process of the host": lambda: os.kill(HOST_PID, 0),
    "set user id": lambda: os.setresuid(1, 1, 1),
    "any capability": any_capability,
    "real-time priority": lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)),
    "higher priority": lambda: os.setpriority(os.PRIO_PROCESS, 0, -5),
    "higher limits": open_files,
    "spared when memory is short": spare,
    "fanotify": lambda: call("fanotify_init", 0, 0),
}
if platform.machine() == "x86_64":
    attempts["int 0x80 getpid"] = int80((20, 0))
    # unshare is 310 in the 32-bit table, and a harmless number in the 64-bit one.
    attempts["int 0x80 unshare user"] = int80((310, NEWUSER))
    attempts["x32 getpid"] = x32

if __name__ == "__main__":
    report(attempts)
    for path in ("/usr/probe-of-sallyport", "/probe-of-sallyport"):
        try:
            (os.rmdir if os.path.isdir(path) else os.remove)(path)
        except OSError:
            pass
