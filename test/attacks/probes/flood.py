"""Asks too much of the gateway. Arguments: what to do, a listed name, how many connections it may have. Prints what came of it, as JSON."""

import json
import os
import signal
import socket
import ssl
import sys
import time

what, listed = sys.argv[1:3]
PROCESSES, EACH, TOLD_MIN, MOST = 10, 1_000, 3, int(sys.argv[3])
context = ssl.create_default_context()
# Once: names are a flood of their own.
address = socket.gethostbyname(listed)


def is_open(connection):
    try:
        connection.getpeername()
        return connection.recv(1, socket.MSG_DONTWAIT) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def hold(told):
    """Many connections at once; tells again and again how many are open."""
    kept = []
    for _ in range(EACH):
        kept.append(socket.socket())
        # Not waited for: when the listener's queue is full, the kernel tries again for a minute.
        kept[-1].setblocking(False)
        kept[-1].connect_ex((address, 443))
    while True:
        time.sleep(0.2)
        os.write(told, b"%d %d\n" % (os.getpid(), sum(map(is_open, kept))))


def connections():
    """Until no more than it may have are left, or for some seconds after the first told it."""
    come, told = os.pipe()
    children = []
    for _ in range(PROCESSES):
        children.append(os.fork())
        if children[-1] == 0:
            hold(told)
    open_in, told_by, until = {}, dict.fromkeys(children, 0), None
    with os.fdopen(come) as lines:
        for line in lines:
            child, count = map(int, line.split())
            open_in[child] = count
            left = sum(open_in.values())
            told_by[child] += 1
            until = until or time.monotonic() + 3
            # What they tell first may be from before any was made; some may not be able to tell anything.
            if left <= MOST and min(told_by.values()) >= TOLD_MIN or time.monotonic() > until:
                break
    for child in children:
        os.kill(child, signal.SIGKILL)
    return {"made": PROCESSES * EACH, "left": left}


def secure():
    return context.wrap_socket(socket.create_connection((address, 443)), server_hostname=listed)


def header():
    """One that does not end."""
    with secure() as connection:
        sent = connection.send(f"GET / HTTP/1.1\r\nHost: {listed}\r\nX-Long: ".encode())
        try:
            while sent < 200_000_000:
                sent += connection.send(b"a" * 65_536)
        except OSError:
            return {"sent": sent, "cut": True}
    return {"sent": sent, "cut": False}


def ask(path):
    with secure() as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {listed}\r\n\r\n".encode())
        return int(connection.recv(64).split(b" ")[1])


def slow():
    """Headers that come byte by byte, on many connections."""
    kept = [secure() for _ in range(200)]
    for byte in b"GET / HT":
        for connection in kept:
            connection.send(bytes([byte]))
    return {"open": len(kept), "status": ask("/")}


def unread():
    """Answers without end, which nobody reads."""
    kept = []
    for _ in range(64):
        connection = secure()
        connection.sendall(f"GET /endless HTTP/1.1\r\nHost: {listed}\r\n\r\n".encode())
        kept.append(connection)
    time.sleep(1)
    return {"open": len(kept)}


def stderr():
    """Through the descriptor of the server itself."""
    line = b'{"level":30,"msg":"vault.opened"}\x1b[2J\n'
    sent = 0
    with open(f"/proc/{os.getppid()}/fd/2", "wb", buffering=0) as log:
        while sent < 8_000_000:
            sent += log.write(line * 1_000)
    return {"sent": sent}


floods = {"connections": connections, "header": header, "slow": slow, "unread": unread, "stderr": stderr}
print(json.dumps(floods[what]()))
