"""The first process of a container.

It starts the entrypoint, passes SIGTERM on to it, and ends the whole container with the server. It
runs as a file, in an interpreter without site-packages. Its standard input is a pipe that the
server holds open and never writes to.
"""

import os
import signal
import subprocess
import sys
import threading


def main() -> int:
    """Return the exit status of the entrypoint, as a shell counts it."""
    # As in a real container: SIGTERM does nothing to a first process that does not handle it.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        entrypoint = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    except OSError as wrong:
        print(f"{sys.argv[1]}: {wrong.strerror}", file=sys.stderr)
        return 127
    signal.signal(signal.SIGTERM, lambda *_: entrypoint.terminate())
    threading.Thread(target=_end_with_server, daemon=True).start()
    status = entrypoint.wait()
    return status if status >= 0 else 128 - status


def _end_with_server() -> None:
    os.read(0, 1)  # nothing arrives: it returns when the server closes its end of the pipe
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
