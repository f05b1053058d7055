"""OpenJD task action: sends one request to the session's resident Blender and relays what it says.

Starts in milliseconds: it imports no more than a socket needs. `run.py REQUEST.json [--frame N] [--out DIR]`.
"""

import json
import os
import socket
import sys

SOCKET = "blender.sock"
LINE_BYTES = 64 << 10
PATHS = ("out", "exr", "claim", "tiles", "other_tiles")
LISTS = ("crops", "parts")


def fail(code, sentence):
    print(f"tatau_error: {code} {sentence}", flush=True)
    return 1


def absolute(request):
    """Makes the request's paths absolute: the resident process has another working directory."""
    for key in PATHS:
        if isinstance(request.get(key), str):
            request[key] = os.path.abspath(request[key])
    for key in ("a", "b", "pngs"):
        value = request.get(key)
        if isinstance(value, str):
            request[key] = os.path.abspath(value)
        elif isinstance(value, list):
            request[key] = [os.path.abspath(item) if isinstance(item, str) else item for item in value]
    for key in LISTS:
        for item in request[key] if isinstance(request.get(key), list) else []:
            if isinstance(item, dict) and isinstance(item.get("file"), str):
                item["file"] = os.path.abspath(item["file"])


def load(arguments):
    """The request named on the command line, with its overrides; a `ValueError` says what is wrong."""
    if not arguments or len(arguments) % 2 == 0:
        raise ValueError("Usage: run.py REQUEST.json [--frame N] [--out DIR].")
    with open(arguments[0], "rb") as stream:
        data = stream.read((1 << 20) + 1)
    if len(data) > 1 << 20:
        raise ValueError("The request is larger than 1048576 bytes; send a smaller one.")
    try:
        request = json.loads(data)
    except (ValueError, RecursionError):
        raise ValueError("The request is not JSON; send one JSON object.") from None
    if not isinstance(request, dict):
        raise ValueError("The request is not a JSON object; send one.")
    for flag, value in zip(arguments[1::2], arguments[2::2]):
        if flag == "--frame":
            try:
                request["frame"] = int(value)
            except ValueError:
                raise ValueError("`--frame` must be a whole number.") from None
        elif flag == "--out":
            request["out"] = value
        else:
            raise ValueError("Usage: run.py REQUEST.json [--frame N] [--out DIR].")
    absolute(request)
    return request


def main(arguments):
    try:
        request = load(arguments)
    except ValueError as error:
        return fail("bad_request", error)
    except OSError as error:
        return fail("bad_request", f"The request file cannot be read: {error.strerror}.")
    connection = socket.socket(socket.AF_UNIX)
    try:
        os.chdir(os.environ.get("TATAU_WORK") or ".")  # a relative socket path: absolute ones may be too long
        connection.connect(SOCKET)
        connection.sendall(json.dumps(request).encode() + b"\n")
        connection.shutdown(socket.SHUT_WR)
    except OSError:
        return fail("not_started", "Blender is not running in this session; start the session's environment first.")
    pending = b""
    while True:
        try:
            data = connection.recv(LINE_BYTES)
        except OSError:
            data = b""
        if not data:
            return fail("renderer_died", "Blender ended in the middle of this task; the scene may need more memory.")
        pending += data
        *lines, pending = pending.split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "log" in message:
                print(message["log"], flush=True)
            elif "progress" in message:
                print(f"openjd_progress: {message['progress']}", flush=True)
            elif "error" in message:
                return fail(message["error"]["code"], message["error"]["sentence"])
            else:
                return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
