"""OpenJD environment onEnter: starts the session's resident Blender and waits until it can serve.

`up.py SCENE` opens a scene, `up.py -` none. Prints one `tatau_error:` line and exits 1 where that fails.
"""

import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def main(arguments):
    if len(arguments) != 1:
        print("tatau_error: bad_request Usage: up.py SCENE, or up.py - for none.")
        return 1
    scene = arguments[0] if arguments[0] == "-" else os.path.abspath(arguments[0])
    work = os.path.abspath(os.environ.get("TATAU_WORK") or ".")
    os.makedirs(work, exist_ok=True)
    ready, tell = os.pipe()
    log = os.open(os.path.join(work, "blender.log"), os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    subprocess.Popen(  # the daemon forks once more and lives on as a child of init
        [sys.executable, "-sE", os.path.join(HERE, "daemon.py"), scene, str(tell)],
        stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=work, pass_fds=[tell], start_new_session=True,
    ).wait()
    os.close(tell)
    os.close(log)
    with open(ready, "rb") as stream:
        answer = stream.read(1 << 16)
    try:
        message = json.loads(answer)
    except ValueError:
        print("tatau_error: corrupt_blend Blender crashed while it opened the scene, which is damaged or needs more memory than there is; save it again, or make it smaller, and retry.")
        return 1
    if "error" in message:
        print(f"tatau_error: {message['error']['code']} {message['error']['sentence']}")
        return 1
    print(f"Blender is ready ({message['load_ms']} ms).")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
