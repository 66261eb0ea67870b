"""How much memory a process has needed at most."""

import re
from pathlib import Path


def peak_mib(pid: int | str = "self") -> float:
    """Peak resident memory of a process in MiB, on Linux.

    Not `ru_maxrss`, which counts what the parent had needed before the process was its own.
    """
    return int(re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[0]) / 2**10
