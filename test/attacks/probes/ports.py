"""Knocks at ports of an address. Arguments: the address, the first port, the last. Prints which are open, as JSON.

A UDP port counts as open where no error comes back. A socket may meet itself, where the kernel gave it the port that it is
about to knock at: that is not open.
"""

import json
import socket
import sys

address, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
family = socket.AF_INET6 if ":" in address else socket.AF_INET
found = {"tcp": [], "udp": []}
for port in range(first, last + 1):
    with socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.settimeout(5)
        if connection.connect_ex((address, port)) == 0 and connection.getsockname()[1] != port:
            found["tcp"].append(port)
    with socket.socket(family, socket.SOCK_DGRAM) as connection:
        connection.connect((address, port))
        connection.send(b"knock")
        # The refusal of a packet on the loopback device is there before `send` returns.
        if connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0 and connection.getsockname()[1] != port:
            found["udp"].append(port)
print(json.dumps(found))
