"""CPU, memory and neighbours, read from /proc. A reading that fails is an error, never a zero."""

import os
import time

TICK = os.sysconf("SC_CLK_TCK")


def stat(pid):
    """(parent, CPU seconds of the process and of its ended children), or None where it has ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stream:
            fields = stream.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(fields[1]), sum(int(ticks) for ticks in fields[11:15]) / TICK


def tree(root):
    """Process numbers of `root` and everything beneath it."""
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            found = stat(int(name))
            if found is not None:
                children.setdefault(found[0], []).append(int(name))
    members, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        members.append(pid)
        waiting.extend(children.get(pid, []))
    return members


def tree_cpu(root):
    """CPU seconds of a process and all its descendants, the ended ones too: each was waited for by its parent."""
    found = [stat(pid) for pid in tree(root)]
    if found[0] is None:
        raise SystemExit(f"process {root} has ended; its log tells why")
    return sum(entry[1] for entry in found if entry is not None)


def own_cpu(pid):
    """CPU seconds of the process alone, without children."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stream:
        fields = stream.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def resident_mib(pid, key="VmRSS"):
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as stream:
        for line in stream:
            if line.startswith(key + ":"):
                return int(line.split()[1]) / 1024
    raise SystemExit(f"process {pid} tells no {key}")


def busy():
    """CPU seconds that the whole machine has worked."""
    with open("/proc/stat", encoding="ascii") as stream:
        fields = [int(ticks) for ticks in stream.readline().split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / TICK


class Watch:
    """How much of the machine others used while something ran: `with Watch(lambda: own CPU) as watch`, then `watch.others`."""

    def __init__(self, own):
        self.own, self.others = own, None

    def __enter__(self):
        self.start = time.monotonic(), busy(), self.own()
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            at, used, own = self.start
            seconds = time.monotonic() - at
            foreign = (busy() - used) - (self.own() - own)
            self.others = max(foreign, 0.0) / max(seconds, 1e-9) / os.cpu_count()
