"""OpenJD environment onExit: ends the session's resident Blender. Safe to run twice, and where none runs."""

import os
import socket
import sys
import time

PATIENCE_S = 5.0


def main():
    try:
        os.chdir(os.environ.get("TATAU_WORK") or ".")
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(PATIENCE_S)
        connection.connect("blender.sock")
        connection.sendall(b'{"kind":"stop"}\n')
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)
    except OSError:
        pass  # nothing answers: nothing runs, or it hangs and goes by its process id
    try:
        with open("blender.pid", encoding="ascii") as stream:
            process = int(stream.read(16))
    except (OSError, ValueError):
        return 0
    for signal in (0, 9):
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                os.kill(process, signal)
                with open(f"/proc/{process}/stat", encoding="ascii", errors="replace") as stat:
                    if stat.read(4096).rpartition(") ")[2][:1] == "Z":
                        return 0  # dead, only not yet buried
            except OSError:
                return 0
            time.sleep(0.02)
    return 0


if __name__ == "__main__":
    sys.exit(main())
