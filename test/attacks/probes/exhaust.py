"""Takes as much of each thing as it gets, and keeps all of it until it is sent a line; memory for ever.

Arguments: what to take, one after the other. Prints a line of JSON, `{"<what>": {"got": number, "error": name}}`, then HELD.
"""

import ctypes
import errno
import json
import os
import signal
import sys
import time

MIB = 1 << 20
libc = ctypes.CDLL(None, use_errno=True)
kept = []
taken = {}


def until_refused(take, most=1_000_000):
    """How often it worked, and what ended it."""
    got = 0
    while got < most:
        try:
            kept.append(take())
        except OSError as error:
            return got, errno.errorcode[error.errno]
        except MemoryError:
            return got, "ENOMEM"
        got += 1
    return got, "nothing"


def child(action):
    pid = os.fork()
    if pid == 0:
        try:
            action()
        finally:
            os._exit(0)
    return pid


def sleeping():
    return child(lambda: time.sleep(600))


def fork_bomb():
    """Every process makes more, for ever. How many live at once is counted by the first one."""

    def multiply():
        while True:
            try:
                if os.fork() == 0:
                    continue
            except OSError:
                time.sleep(0.01)

    child(multiply)
    most, look = 0, 0
    while look < 10 or look < 200 and most < 10:
        look += 1
        most = max(most, sum(name.isdigit() for name in os.listdir("/proc")))
        time.sleep(0.05)
    _, refusal = until_refused(sleeping)
    return most, refusal


def memory():
    """In MiB; more than the cell may have, and less than what would end a process by itself."""
    got, refusal = until_refused(lambda: bytearray(b"x" * (4 * MIB)), 64)
    return got * 4, refusal


def in_several(take, count):
    """The same in several processes; the sum, and what ended the last."""
    total, refusal = 0, ""
    for _ in range(count):
        read, write = os.pipe()

        def report():
            os.write(write, json.dumps(take()).encode())
            time.sleep(600)

        kept.append(child(report))
        os.close(write)
        got, refusal = json.loads(os.read(read, 4096))
        os.close(read)
        total += got
    return total, refusal


def descriptors():
    return until_refused(lambda: os.open("/dev/null", os.O_RDONLY))


def disk(folder):
    """In MiB."""

    def run():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        names = iter(range(1_000_000))

        def write():
            with open(f"{folder}/fill-{next(names)}", "wb", buffering=0) as file:
                if file.write(bytes(MIB)) < MIB:
                    raise OSError(errno.ENOSPC, "only a part")

        return until_refused(write)

    return run


def one_file():
    """In MiB, by writing to its far end."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    file = open("/tmp/sparse", "wb", buffering=0)
    size = [0]

    def grow():
        size[0] += 1
        file.truncate(size[0] * MIB)

    return until_refused(grow)


def calls(call):
    def take():
        if call() < 0:
            raise OSError(ctypes.get_errno(), "")

    return until_refused(take)


def watches():
    return calls(libc.inotify_init)


def timers():
    return calls(lambda: libc.timer_create(1, None, ctypes.byref(ctypes.c_void_p())))


takes = {
    "processes": lambda: until_refused(sleeping),
    "fork bomb": fork_bomb,
    "memory": lambda: in_several(memory, 3),
    "descriptors": descriptors,
    "descriptors of several": lambda: in_several(descriptors, 10),
    "disk": disk("/tmp"),
    "home": disk("/home/cell"),
    "shared memory": disk("/dev/shm"),
    "one file": one_file,
    "watches": watches,
    "timers": timers,
}
for name in sys.argv[1:]:
    got, refusal = takes[name]()
    taken[name] = {"got": got, "error": refusal}
print(json.dumps(taken), flush=True)
print("HELD", flush=True)
sys.stdin.readline()
if "memory" in sys.argv[-1]:
    time.sleep(600)
os._exit(0)
