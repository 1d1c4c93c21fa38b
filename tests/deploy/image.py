"""Builds and runs the image without a container engine, on overlays of this machine's files.

A stage is an overlay over the files of this machine, with our Python where the image has its own.
The packages of the tests, which are those of requirements.lock and more, stand for the ones that
the image installs: pip finds them and fetches nothing. A process of the image then runs on the
finished overlay, which nobody can write to.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from sysconfig import get_path
from tempfile import mkdtemp

from services.dev.programs import ProgramNotFoundError
from tests.deploy.dockerfile import DOCKERFILE, ROOT, Stage, Step, parse_stages, read_build_context

_PACKAGES = "/mnt"
_AS_IF = {"PYTHONPATH": _PACKAGES, "LD_LIBRARY_PATH": "/usr/local/lib"}
"""The path of the stand-ins, which the real image does not need."""
_BASE = {"PATH": "/usr/local/bin:/usr/bin:/bin"}


class Image:
    """Builds deploy/Dockerfile in a folder. Raises ProgramNotFoundError unless run by root."""

    def __init__(self, folder: Path) -> None:
        _require_mounts(folder)
        self._folder = folder
        self._upper: dict[str, Path] = {}
        *before, final = parse_stages(DOCKERFILE.read_text())
        for stage in (*before, final):
            self._build(stage)
        self._last = self._upper[final.name]
        self.environment = final.apply_environment(_BASE)
        self.user = final.find_last("USER")
        self.command: list[str] = json.loads(final.find_last("CMD"))

    def wrap_command(self, command: Sequence[str], environment: Mapping[str, str]) -> list[str]:
        """The command that runs `command` in the image, with its user and environment."""
        return self._within(
            self._last,
            ["chroot", f"--userspec={self.user}", "--groups=", str(self._merged)],
            command,
            {**self.environment, **environment},
            then=f"mount -o remount,ro {self._merged}",
        )

    @property
    def _merged(self) -> Path:
        return self._folder / "merged"

    def _build(self, stage: Stage) -> None:
        upper = self._upper[stage.name] = self._folder / f"upper-{stage.name or 'final'}"
        for folder in (upper, self._merged):
            folder.mkdir(exist_ok=True)
        environment, place = dict(_BASE), "/"
        for step in stage.steps:
            match step.name:
                case "WORKDIR":
                    place = step.text
                    _within(upper, place).mkdir(parents=True)
                case "ENV":
                    environment = Stage("", "", [step]).apply_environment(environment)
                case "COPY":
                    self._copy(step, upper, place)
                case "RUN":
                    self._run(step, upper, place, environment)
                case "USER" | "EXPOSE" | "CMD":
                    pass
                case _:
                    raise NotImplementedError(step.name)

    def _copy(self, step: Step, upper: Path, place: str) -> None:
        words = step.words
        if words[0].startswith("--from="):
            source, destination = words[1:]
            origin = _within(self._upper[words[0].removeprefix("--from=")], source)
            shutil.copytree(origin, _within(upper, destination), symlinks=True)
            return
        included, excluded = read_build_context()
        *sources, destination = words
        target = _within(upper, place) / destination
        for source in sources:
            assert source in included, f"{source} is copied and not in the context of the build"
            if (ROOT / source).is_dir():
                ignored = shutil.ignore_patterns(*excluded)
                shutil.copytree(ROOT / source, target, ignore=ignored)
            else:
                shutil.copy(ROOT / source, target / source)

    def _run(self, step: Step, upper: Path, place: str, environment: Mapping[str, str]) -> None:
        process = subprocess.run(
            self._within(
                upper,
                ["chroot", str(self._merged)],
                ["sh", "-c", f"cd {place} && {step.text}"],
                environment,
            ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.returncode == 0, f"RUN {step.text}\n{process.stdout}"

    def _within(
        self,
        upper: Path,
        enter: Sequence[str],
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        then: str = "true",
    ) -> list[str]:
        """A command that runs another one with an overlay as root, in a private mount namespace."""
        merged = self._merged
        work = mkdtemp(prefix="work-", dir=self._folder)  # two mounts must not share it
        overlay = f"lowerdir=/,upperdir={upper},workdir={work}"
        binds = {"/proc": "/proc", "/dev": "/dev"}
        read_only = {sys.base_prefix: "/usr/local", get_path("purelib"): _PACKAGES}
        mounts = [f"mount -t overlay overlay -o {overlay} {merged}"]
        mounts += [f"mount --rbind {source} {merged}{at}" for source, at in binds.items()]
        for source, at in read_only.items():
            mounts.append(f"mount --bind {source} {merged}{at}")
            mounts.append(f"mount -o remount,bind,ro {merged}{at}")
        variables = [f"{name}={value}" for name, value in {**environment, **_AS_IF}.items()]
        words = [*enter, "env", "-i", *variables, *command]
        script = " && ".join([*mounts, then, f"exec {shlex.join(words)}"])
        return ["unshare", "--mount", "sh", "-c", script]


def _within(upper: Path, path: str) -> Path:
    return upper / path.removeprefix("/")


def _require_mounts(folder: Path) -> None:
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        raise ProgramNotFoundError(
            "running the image without a container engine needs root and unshare"
        )
