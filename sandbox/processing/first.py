"""The first process of a container: it starts the entrypoint, passes SIGTERM on to it, and takes the whole container down with the server.

It is run as a file, by an interpreter without site-packages. Its standard input is a pipe that the server holds open and never writes to.
"""

import os
import signal
import subprocess
import sys
import threading


def main() -> int:
    """The exit status of the entrypoint, as a shell counts it."""
    # As the first process of a real container has it: SIGTERM does nothing to a program that does not handle it.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        entrypoint = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    except OSError as wrong:
        print(f"{sys.argv[1]}: {wrong.strerror}", file=sys.stderr)
        return 127
    signal.signal(signal.SIGTERM, lambda *_: entrypoint.terminate())
    threading.Thread(target=_fall_with_the_server, daemon=True).start()
    status = entrypoint.wait()
    return status if status >= 0 else 128 - status


def _fall_with_the_server() -> None:
    os.read(0, 1)  # nothing comes: it ends with the server's end of the pipe
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
