"""What a process has used, from /proc."""

import os
from pathlib import Path


def read_processor_seconds(pid: int) -> float:
    """Time on processors since it started, of all its threads."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def read_peak_mib(pid: int) -> float:
    """The most memory that it had at one time."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024
