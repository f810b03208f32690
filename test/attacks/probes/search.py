"""Looks for a secret everywhere a program can look. The twin of `search.mjs`: the same arguments, places and output."""

import json
import os
import re
import stat
import sys

extent, backwards, *folders = sys.argv[1:]
secret = backwards[::-1].encode()
found = {}
looked = {"processes": 0, "regions": 0, "files": 0}


def note(place, content):
    if secret in content:
        found[place] = "ok"


def read(path):
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read()
    except OSError:
        return b""


def entries(folder):
    try:
        return os.listdir(folder)
    except OSError:
        return []


def search_memory(pid):
    try:
        memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
    except OSError:
        return
    for line in read(f"/proc/{pid}/maps").decode("latin1").splitlines():
        region = re.match("([0-9a-f]+)-([0-9a-f]+) r", line)
        if region is None:
            continue
        start, end = (int(part, 16) for part in region.groups())
        if end - start > 64 << 20:
            continue
        try:
            content = os.pread(memory, end - start, start)
        except (OSError, OverflowError):
            continue
        looked["regions"] += 1
        note("memory of pid 1" if pid == 1 else "memory of another process", content)
    os.close(memory)


for pid in sorted(int(name) for name in os.listdir("/proc") if name.isdigit()):
    own = pid == os.getpid()
    looked["processes"] += 1
    for file in ("environ", "cmdline"):
        owner = "itself" if own else "pid 1" if pid == 1 else "another process"
        note(f"{file} of {owner}", read(f"/proc/{pid}/{file}"))
    for descriptor in entries(f"/proc/{pid}/fd"):
        path = f"/proc/{pid}/fd/{descriptor}"
        try:
            # Only regular files: reading a pipe or a socket would wait.
            if stat.S_ISREG(os.stat(path).st_mode):
                note(f"descriptor of {'itself' if own else 'another process'}", read(path))
        except OSError:
            pass
    if not own and extent == "all":
        search_memory(pid)

while folders:
    folder = folders.pop()
    for name in entries(folder):
        path = f"{'' if folder == '/' else folder}/{name}"
        if path in ("/proc", "/sys", "/usr", "/dev"):
            continue
        try:
            status = os.lstat(path)
        except OSError:
            continue
        if stat.S_ISDIR(status.st_mode):
            folders.append(path)
        elif stat.S_ISREG(status.st_mode) and status.st_size < 4 << 20:
            looked["files"] += 1
            note("file", read(path))
print(json.dumps(looked))
print(json.dumps(found))
