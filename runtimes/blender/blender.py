"""The one place that imports bpy, on as many threads as this session may use.

Blender's thread pool takes its size from the processors that it sees while it starts. Left to see more than a render
may use, the pool's spare threads spin beside it and burn whole cores, so it is shown just `threads()` of them.
"""

import contextlib
import os


def threads():
    """How many threads a render may use: `TATAU_THREADS`, else every core of this process."""
    given = os.environ.get("TATAU_THREADS", "")
    return min(max(int(given), 1), 1024) if given.isdigit() else len(os.sched_getaffinity(0))


def _import():
    cores = os.sched_getaffinity(0)
    show(0, sorted(cores)[: threads()])
    try:
        import bpy as module

        return module
    finally:
        for task in os.listdir("/proc/self/task"):
            show(int(task), cores)


def show(task, cores):
    """Binds a thread to `cores`; where the system refuses, or the thread has ended, only speed is lost."""
    with contextlib.suppress(OSError):
        os.sched_setaffinity(task, cores)


bpy = _import()
