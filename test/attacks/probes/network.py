"""Tries to reach beyond a cell without going through its listeners.

Arguments: JSON with `tcp` and `udp` (ports on this machine where a stranger answers "outside"), `address` (one of this
machine's own), `path` and `abstract` (unix sockets where the stranger answers too), `places` (where services of a machine
have theirs); then names of attempts, or none.
"""

import errno
import fcntl
import json
import os
import socket
import struct
import sys

from attempts import Refused, report

target = json.loads(sys.argv.pop(1))


def expect_stranger(received):
    if received != b"outside":
        raise RuntimeError("somebody else answered: " + received.decode("latin1"))


def tcp(family, address, port):
    def run():
        with socket.socket(family, socket.SOCK_STREAM) as connection:
            connection.settimeout(5)
            connection.connect((address, port))
            expect_stranger(connection.recv(64))

    return run


def udp(family, address, port):
    def run():
        with socket.socket(family, socket.SOCK_DGRAM) as connection:
            connection.settimeout(2)
            connection.connect((address, port))
            connection.send(b"hello")
            expect_stranger(connection.recv(64))

    return run


def unix(address):
    def run():
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(address)
            expect_stranger(connection.recv(64))

    return run


def opens(*arguments):
    return lambda: socket.socket(*arguments).close()


def netlink(kind, flags, payload):
    """Asks the kernel to change the network; root of the namespace may."""

    def run():
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as channel:
            channel.bind((0, 0))
            channel.send(struct.pack("IHHII", 16 + len(payload), kind, flags | 5, 1, 0) + payload)
            answer = channel.recv(8192)
            if struct.unpack_from("H", answer, 4)[0] == 2:
                code = struct.unpack_from("i", answer, 16)[0]
                if code != 0:
                    raise Refused(-code)

    return run


def attribute(kind, value):
    return struct.pack("HH", 4 + len(value), kind) + value


LO = 1
add_address = netlink(
    20, 0x600, struct.pack("BBBBI", socket.AF_INET, 32, 0, 0, LO) + attribute(2, bytes([203, 0, 113, 7]))
)
link_down = netlink(16, 0, struct.pack("BxHiII", 0, 0, LO, 0, 1))
add_route = netlink(
    24, 0x600, struct.pack("BBBBBBBBI", socket.AF_INET, 24, 0, 0, 254, 4, 253, 1, 0)
    + attribute(1, bytes([203, 0, 113, 0])) + attribute(4, struct.pack("I", LO)),
)
add_link = netlink(16, 0x600, struct.pack("BxHiII", 0, 0, 0, 0, 0) + attribute(3, b"probe0\0\0")
                   + attribute(18, attribute(1, b"dummy\0\0\0")))


INTERNET = struct.pack("BBBBBBBBI", socket.AF_INET, 0, 0, 0, 255, 0, 254, 2, 0)
# The cell's own route, by which every address leads to it: table local, to everywhere, on the device lo.
delete_route = netlink(25, 0, INTERNET + attribute(4, struct.pack("I", LO)))
add_rule = netlink(32, 0x600, struct.pack("BBBBBBBBI", socket.AF_INET, 0, 0, 0, 253, 0, 0, 1, 0))
delete_address = netlink(
    21, 0, struct.pack("BBBBI", socket.AF_INET, 8, 0, 0, LO) + attribute(2, bytes([127, 0, 0, 1]))
)
# The device itself, into the namespace of another process.
give_away = netlink(16, 0, struct.pack("BxHiII", 0, 0, LO, 0, 0) + attribute(19, struct.pack("I", os.getpid())))


def change(request, payload):
    """What ifconfig and route do."""

    def run():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            fcntl.ioctl(any_socket, request, struct.pack("16s24s", b"lo", payload))

    return run


def option(level, name):
    def run():
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as any_socket:
            any_socket.setsockopt(level, name, 1)

    return run


def named(variable):
    """Where the environment says that a service is."""

    def run():
        if variable not in os.environ:
            raise Refused(errno.ENOENT)
        unix(os.environ[variable].split("=")[-1].split("://")[-1])()

    return run


def any_place():
    for place in target["places"]:
        try:
            unix(place)()
            return
        except FileNotFoundError:
            pass
    raise Refused(errno.ENOENT)


def inherit_loopback():
    """Uses what the host's loopback has, by binding to its device."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as connection:
        connection.settimeout(5)
        connection.setsockopt(socket.SOL_SOCKET, 25, b"lo\0")
        connection.connect(("127.0.0.1", target["tcp"]))
        expect_stranger(connection.recv(64))


attempts = {
    "tcp v4 loopback": tcp(socket.AF_INET, "127.0.0.1", target["tcp"]),
    "tcp v4 own address": tcp(socket.AF_INET, target["address"], target["tcp"]),
    "tcp v6 loopback": tcp(socket.AF_INET6, "::1", target["tcp"]),
    "tcp v4-mapped": tcp(socket.AF_INET6, "::ffff:127.0.0.1", target["tcp"]),
    "tcp through the device": inherit_loopback,
    "udp v4": udp(socket.AF_INET, "127.0.0.1", target["udp"]),
    "udp v6": udp(socket.AF_INET6, "::1", target["udp"]),
    "icmp ping socket": opens(socket.AF_INET, socket.SOCK_DGRAM, 1),
    "icmp raw": opens(socket.AF_INET, socket.SOCK_RAW, 1),
    "raw tcp": opens(socket.AF_INET, socket.SOCK_RAW, 6),
    "raw v6": opens(socket.AF_INET6, socket.SOCK_RAW, 58),
    "mptcp": opens(socket.AF_INET, socket.SOCK_STREAM, 262),
    "sctp": opens(socket.AF_INET, socket.SOCK_STREAM, 132),
    "sctp messages": opens(socket.AF_INET, socket.SOCK_SEQPACKET, 132),
    "dccp": opens(socket.AF_INET, 6, 33),
    "udplite": opens(socket.AF_INET, socket.SOCK_DGRAM, 136),
    "packet socket": opens(socket.AF_PACKET, socket.SOCK_RAW, 0x0300),
    "vsock": opens(40, socket.SOCK_STREAM, 0),
    "kernel crypto (AF_ALG)": opens(38, socket.SOCK_SEQPACKET, 0),
    "bluetooth": opens(31, socket.SOCK_RAW, 1),
    "tipc": opens(30, socket.SOCK_RDM, 0),
    "netlink generic": opens(socket.AF_NETLINK, socket.SOCK_RAW, 16),
    "netlink netfilter": opens(socket.AF_NETLINK, socket.SOCK_RAW, 12),
    "netlink: delete the route": delete_route,
    "netlink: add an address": add_address,
    "netlink: add a route": add_route,
    "netlink: add a link": add_link,
    "netlink: set the link down": link_down,
    "netlink: delete an address": delete_address,
    "netlink: add a rule": add_rule,
    "netlink: give the link away": give_away,
    "ioctl: set an address": change(0x8916, struct.pack("HH4s", socket.AF_INET, 0, bytes([203, 0, 113, 7]))),
    "ioctl: set the link down": change(0x8914, struct.pack("H", 0)),
    "option: mark": option(socket.SOL_SOCKET, 36),
    "option: transparent": option(socket.IPPROTO_IP, 19),
    "unix socket by path": unix(target["path"]),
    "unix socket, abstract": unix("\0" + target["abstract"]),
    "service by place": any_place,
    "service by variable: ssh-agent": named("SSH_AUTH_SOCK"),
    "service by variable: Docker": named("DOCKER_HOST"),
    "service by variable: D-Bus": named("DBUS_SESSION_BUS_ADDRESS"),
}

if __name__ == "__main__":
    report(attempts)
