"""Starts Python processes from one that has imported what services need, in milliseconds.

Importing a service takes a second of processor time. gRPC is not imported before a fork, because
calls then hang for a minute now and then. A fork runs a program as `python` does, with
its own arguments, environment and output, and is killed and awaited like any process. Programs of
another version or environment need a `subprocess.Popen` instead.
"""

import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Self, TextIO

_ROOT: Final = Path(__file__).parents[1]
_MAX_REQUEST_BYTES: Final = 200_000
_PRELOADED: Final = (
    "aiokafka",
    "asyncpg",
    "faust.transport.drivers.aiokafka",
    "google.protobuf.json_format",
    "kafka.admin",
    "kafka.producer",
    "opentelemetry.trace",
    "prometheus_client",
    "pydantic_settings",
    "scipy.linalg",
    "scipy.optimize",
    "scipy.sparse.csgraph",
    "scipy.special",
    "services.ledger.fold",
    "services.network.identity_view",
    "sqlmodel",
    "starlette.applications",
    "uvicorn",
)


class ForkedProcess:
    """A process that the fork server started; it has the methods of `subprocess.Popen`."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        stdout: TextIO,
        stderr: TextIO,
        env: Mapping[str, str],
    ) -> None:
        """Starts `python` with these arguments: `-m NAME ...` or `-c PROGRAM ...`, after any -W."""
        self.returncode: int | None = None
        self._exit, theirs = socket.socketpair()
        request = {"arguments": arguments, "environment": {**env}, "directory": str(Path.cwd())}
        with theirs:
            files = [stdout.fileno(), stderr.fileno(), theirs.fileno()]
            socket.send_fds(_start_server()[0], [json.dumps(request).encode()], files)
        self.pid = int(self._exit.recv(32))

    def poll(self) -> int | None:
        """Returns the exit code, negative for a signal; None while the process runs."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Returns the exit code. Raises subprocess.TimeoutExpired after `timeout` seconds."""
        if self.returncode is None:
            if not select.select([self._exit], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("a forked process", timeout or 0)
            self.returncode = int(self._exit.recv(32))
            self._exit.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)


class PipedProcess(ForkedProcess):
    """A forked process whose output is read while it runs, through pipes."""

    def __init__(self, arguments: Sequence[str], *, env: Mapping[str, str]) -> None:
        self.stdout, stdout = _open_pipe()
        self.stderr, stderr = _open_pipe()
        with stdout, stderr:
            super().__init__(arguments, stdout=stdout, stderr=stderr, env=env)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Waits for the end, and returns the rest of standard output and of standard error.

        Kills the process and raises subprocess.TimeoutExpired after `timeout` seconds.
        """
        with ThreadPoolExecutor(2) as pool, self.stdout, self.stderr:
            stdout, stderr = (pool.submit(file.read) for file in (self.stdout, self.stderr))
            try:
                self.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
            return stdout.result(), stderr.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stdout.close()
        self.stderr.close()
        self.wait()


def _open_pipe() -> tuple[TextIO, TextIO]:
    """Returns the end to read from and the end to write to."""
    reading, writing = os.pipe()
    return os.fdopen(reading), os.fdopen(writing, "w")


@cache
def _start_server() -> tuple[socket.socket, "subprocess.Popen[bytes]"]:
    """Starts the server of this process, which takes requests until this process ends."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _MAX_REQUEST_BYTES)
    path = os.pathsep.join([str(_ROOT), str(_ROOT / "proto")])
    with theirs:
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.fork_server", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env={**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"},
        )
    return ours, server


class _Server:
    """Forks on request, and reports the process id and, at the end, the exit code of every fork."""

    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        self._running: dict[int, socket.socket] = {}
        self._wake_up = socket.socketpair()
        for end in self._wake_up:
            end.setblocking(False)

    def serve(self) -> dict[str, Any] | None:
        """Returns the request in a fork of the server, and None at the end in the server itself."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_up[1].fileno())
        while True:
            ready, _, _ = select.select([self._requests, self._wake_up[0]], [], [])
            if self._wake_up[0] in ready:
                self._wake_up[0].recv(4096)
                self._report_exits()
            if self._requests not in ready:
                continue
            message, files, _, _ = socket.recv_fds(self._requests, _MAX_REQUEST_BYTES, 3)
            if not message:
                return None
            if self._fork(files):
                request: dict[str, Any] = json.loads(message)
                return request

    def _report_exits(self) -> None:
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                code = os.waitstatus_to_exitcode(ended[1])
                with self._running.pop(ended[0]) as report, suppress(BrokenPipeError):
                    report.send(str(code).encode())

    def _fork(self, files: Sequence[int]) -> bool:
        """Returns whether this is the fork, which then has these files as its output."""
        stdout, stderr, report_file = files
        report = socket.socket(fileno=report_file)
        pid = os.fork()
        if pid:
            report.send(str(pid).encode())
            self._running[pid] = report
        else:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.dup2(stdout, 1)
            os.dup2(stderr, 2)
            for other in (report, self._requests, *self._wake_up, *self._running.values()):
                other.close()
        os.close(stdout)
        os.close(stderr)
        return not pid


def _run(request: Mapping[str, Any]) -> None:
    """Runs the program of a request as `python` would."""
    arguments: list[str] = request["arguments"]
    os.chdir(request["directory"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.orig_argv = [sys.executable, *arguments]
    while arguments[0] == "-W":
        warnings.simplefilter(arguments[1])  # type: ignore[arg-type]
        arguments = arguments[2:]
    option, program, *words = arguments
    sys.argv = [option, *words]
    if option == "-m":
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    else:
        main = sys.modules["__main__"] = ModuleType("__main__")
        exec(compile(program, "<string>", "exec"), vars(main))


def main() -> None:
    """Imports what services need, and serves on the socket that is the argument."""
    import gc
    from importlib import import_module

    from services.app.gc_tuning import make_collection_rare

    make_collection_rare()
    for name in _PRELOADED:
        import_module(name)
    assert "grpc" not in sys.modules, "gRPC does not survive a fork"
    gc.freeze()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    request = _Server(socket.socket(fileno=int(sys.argv[1]))).serve()
    if request is not None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _run(request)


if __name__ == "__main__":
    main()
