"""Leaves daemons behind that ignore signals, hold no descriptor of ours, and have left every group and session.

Argument: a mark that their command lines bear. Prints READY once they live.
"""

import os
import signal
import subprocess
import sys
import time

mark = sys.argv[1]
living, told = os.pipe()
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        # The second fork: no leader of a session, and a child of the first process from now on.
        if os.fork() != 0:
            os._exit(0)
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        os.chdir("/")
        os.write(told, b"x")
        os.closerange(0, 64)
        os.execl(sys.executable, sys.executable, "-c", "import time; time.sleep(600)", mark)
# Started by another way: a session of its own, and a parent that is killed with the cell.
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", mark], start_new_session=True)
for _ in range(3):
    os.read(living, 1)
time.sleep(0.3)
print("READY", flush=True)
time.sleep(600)
