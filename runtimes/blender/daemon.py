"""The session's resident process: holds at most one scene and serves one request after another on a Unix socket.

Owns the socket, the log lines and the answer's shape; what a task does lives in the module of its kind. bpy is
imported only where a task needs it, so that a session without a scene starts at once.
"""

import importlib
import json
import os
import socket
import sys
import time
import traceback

import faults
from faults import Fault

SOCKET = "blender.sock"
READ_SECONDS = 10.0
KINDS = {  # kind: (module, function)
    "render": ("render", "render"),
    "render_tile": ("tiles", "render_tile"),
    "stitch": ("tiles", "stitch"),
    "crops": ("crops", "crops"),
    "benchmark": ("benchmark", "render"),
    "check_device": ("device_check", "check"),
    "inspect": ("inspection", "inspect"),
    "finish": ("finish", "finish"),
    "video": ("video", "video"),
    "compare": ("compare", "compare"),
    "compare_frames": ("compare", "compare_frames"),
    "compare_crops": ("compare", "compare_crops"),
    "compare_images": ("decoded", "compare_images"),
    "compare_video": ("decoded", "compare_video"),
}


class Session:
    """What every task gets: the open scene's path (or None), its load time, and a way to speak to the caller."""

    def __init__(self, scene):
        self.scene = scene
        self.load_ms = 0
        self.lacking = []  # refusals that only opening the scene could tell
        self.complete = False  # whether every file of the scene was seen to be there
        self.connection = None

    def tell(self, message):
        try:
            self.connection.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            pass  # the caller is gone; the task ends by itself or with the session

    def log(self, text):
        self.tell({"log": faults.one_line(text)})

    def progress(self, percent):
        self.tell({"progress": round(min(max(percent, 0.0), 100.0), 1)})


def receive(connection):
    connection.settimeout(READ_SECONDS)
    parts, size = [], 0
    while size <= faults.REQUEST_BYTES:
        data = connection.recv(1 << 16)
        if not data:
            break
        parts.append(data)
        size += len(data)
    connection.settimeout(None)
    return faults.parse_json(b"".join(parts))


def perform(session, request):
    kind = request.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise Fault("bad_request", f"The kind of task is unknown; it must be one of {', '.join(sorted(KINDS))}.")
    folder = faults.out_folder(request)
    module, name = KINDS[kind]
    result = getattr(importlib.import_module(module), name)(session, request, folder)
    faults.write_result(folder, {"kind": kind, **result})


def incomplete(error):
    return faults.one_line(f"The environment is incomplete ({error}); install what its manifest names.")


def serve_one(session, connection):
    """Answers one connection; True where it asked to stop."""
    session.connection = connection
    try:
        request = receive(connection)
        if request.get("kind") == "stop":
            return True
        perform(session, request)
        session.tell({"done": True})
    except Fault as fault:
        session.tell({"error": {"code": fault.code, "sentence": fault.sentence}})
    except MemoryError:
        session.tell({"error": {"code": "out_of_memory", "sentence": "The task needs more memory than it may use."}})
    except OSError as error:
        traceback.print_exc()
        session.tell({"error": {"code": "internal", "sentence": f"The system refused a step: {error.strerror}."}})
    except ImportError as error:
        session.tell({"error": {"code": "environment", "sentence": incomplete(error)}})
    except Exception:  # the boundary: the next task must find the process alive, the log holds the trace
        traceback.print_exc()
        session.tell({"error": {"code": "internal", "sentence": "The task failed in an unforeseen way; see blender.log."}})
    return False


def prepare(scene):
    session = Session(None if scene == "-" else scene)
    started = time.monotonic()
    if session.scene is not None:
        import laid_out
        import scenes

        session.lacking = scenes.open_scene(laid_out.readable(session.scene, os.getcwd()))
    session.load_ms = round((time.monotonic() - started) * 1000)
    return session


def listen():
    if os.path.lexists(SOCKET):
        os.unlink(SOCKET)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(SOCKET)
    os.chmod(SOCKET, 0o600)
    listener.listen(4)
    return listener


def main(scene, tell):
    if os.fork():
        os._exit(0)
    with open("blender.pid", "w", encoding="ascii") as stream:
        stream.write(str(os.getpid()))
    try:
        session = prepare(scene)
        listener = listen()
        answer = {"load_ms": session.load_ms}
    except Fault as fault:
        listener, answer = None, {"error": {"code": fault.code, "sentence": fault.sentence}}
    except ImportError as error:
        listener, answer = None, {"error": {"code": "environment", "sentence": incomplete(error)}}
    except Exception:  # the boundary: whatever happened, the waiting caller gets its one sentence
        traceback.print_exc()
        sentence = "Blender could not be started in an unforeseen way; see blender.log."
        listener, answer = None, {"error": {"code": "internal", "sentence": sentence}}
    os.write(tell, json.dumps(answer).encode())
    os.close(tell)
    while listener is not None:
        connection, _ = listener.accept()
        with connection:
            try:
                if serve_one(session, connection):
                    break
            except OSError:
                pass  # a caller that hung up or sent nothing
        sys.stdout.flush()
    if listener is not None:
        os.unlink(SOCKET)
    sys.stdout.flush()
    os._exit(0)  # at once: Blender's own shutdown may take long and has nothing to save


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
