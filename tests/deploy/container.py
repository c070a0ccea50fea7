"""Builds and runs the image without a Docker engine: the Dockerfile's own commands in a root folder of its own.

What differs from Docker: the files of the base image are this machine's, and the locked dependencies are those of the
environment that runs the tests, where Docker downloads them.
"""

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.deploy.dockerfile import ROOT, Instruction, Stage, stages, taken

DEPENDENCIES = "/opt/dependencies"
"""Where the environment of the tests is seen from inside."""
_USERS = ("passwd", "group", "shadow", "gshadow", "login.defs", "ld.so.cache", "nsswitch.conf")
_DOWNLOADS = "--require-hashes"
PATIENCE_S = 100


def missing() -> str | None:
    """What this machine lacks to do it."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "needs root on Linux"
    tried = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)
    return None if tried.returncode == 0 else "needs mount namespaces"


@dataclass(frozen=True)
class Container:
    """A root folder, as a stage left it, with its settings."""

    root: Path
    stage: Stage

    @staticmethod
    def build(folder: Path) -> "Container":
        """The image that the Dockerfile describes, made in ``folder``."""
        built: dict[str, Container] = {}
        container = None
        for stage in stages((ROOT / "Dockerfile").read_text(encoding="utf-8")):
            container = Container(folder / (stage.name or "final"), stage)
            container._lay_base()
            workdir, variables = Path("/"), {"PATH": f"{sys.base_prefix}/bin:/usr/sbin:/usr/bin", "HOME": "/root"}
            for item in stage.instructions:
                if item.word == "ENV":
                    variables |= item.assignments
                elif item.word == "WORKDIR":
                    workdir = Path(item.rest)
                    container._at(workdir).mkdir(parents=True, exist_ok=True)
                elif item.word == "COPY":
                    container._copy(item, workdir, built)
                elif item.word == "RUN":
                    container._perform(item, workdir, variables)
            built[stage.name] = container
        assert container is not None
        return container

    def run(
        self, *arguments: str, workspace: Path, variables: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """`docker run --read-only --tmpfs /tmp` with the image's entry point, user and folder."""
        return self.execute(
            [*self.stage.of("ENTRYPOINT")[-1].arguments, *arguments], workspace=workspace, variables=variables
        )

    def execute(
        self, command: Sequence[str], *, workspace: Path, variables: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """`docker run --read-only --tmpfs /tmp --entrypoint`."""
        return _ended(self._as_configured(command, workspace, variables or {}))

    @contextmanager
    def started(
        self, *arguments: str, workspace: Path, variables: Mapping[str, str]
    ) -> Generator[subprocess.Popen[str]]:
        """As `run`, under way; `docker stop` when the context is left."""
        command = [*self.stage.of("ENTRYPOINT")[-1].arguments, *arguments]
        process = subprocess.Popen(
            self._as_configured(command, workspace, variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        with process:
            try:
                yield process
            finally:
                process.terminate()

    def _as_configured(self, command: Sequence[str], workspace: Path, variables: Mapping[str, str]) -> list[str]:
        return self._inside(
            command,
            workdir=Path(self.stage.of("WORKDIR")[-1].rest),
            user=self.stage.of("USER")[-1].rest,
            variables={**self.stage.environment, **variables},
            workspace=workspace,
        )

    def _at(self, path: Path | str) -> Path:
        return self.root / str(path).lstrip("/")

    def _lay_base(self) -> None:
        """What the base image has: the system's programs, a Python, users."""
        for name in ("etc", "usr", "proc", "dev", "tmp", "opt", "var/lib", "app"):
            self._at(name).mkdir(parents=True, exist_ok=True)
        for name in ("bin", "sbin", "lib", "lib64"):
            self._at(name).symlink_to(f"usr/{name}")
        for name in _USERS:
            if (source := Path("/etc") / name).exists():
                shutil.copy(source, self._at("etc") / name)
        for folder in (DEPENDENCIES, sys.base_prefix):
            self._at(folder).mkdir(parents=True, exist_ok=True)

    def _copy(self, item: Instruction, workdir: Path, built: Mapping[str, "Container"]) -> None:
        *sources, target = [word for word in item.arguments if not word.startswith("--")]
        stage = next((word.partition("=")[2] for word in item.arguments if word.startswith("--from=")), None)
        into = self._at(workdir / target)
        ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8")

        def left_out(folder: str, names: list[str]) -> set[str]:
            inside = Path(folder).relative_to(ROOT)
            return {name for name in names if not taken(inside / name, ignore)}

        for source in sources:
            if stage is not None:
                shutil.copytree(built[stage]._at(source), into, symlinks=True)
            elif not taken(Path(source), ignore):
                raise FileNotFoundError(f"COPY {source}: .dockerignore keeps it out of the build")
            elif (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, into, ignore=left_out)
            else:
                place = into / Path(source).name if target.endswith("/") else into
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / source, place)

    def _perform(self, item: Instruction, workdir: Path, variables: Mapping[str, str]) -> None:
        if _DOWNLOADS in item.rest:
            self._lend_dependencies()
            return
        done = _ended(self._inside(["sh", "-e", "-c", item.rest], workdir=workdir, user="0:0", variables=variables))
        assert done.returncode == 0, f"RUN {item.rest}\n{done.stdout}{done.stderr}"

    def _lend_dependencies(self) -> None:
        """In place of the download: the packages that the tests run with, and the programs that came with them."""
        site = self._at("/opt/venv") / Path(sysconfig.get_path("purelib")).relative_to(sys.prefix)
        for old in site.glob("setuptools*"):
            # The locked one takes its place, in the image as here.
            shutil.rmtree(old)
        (site / "dependencies.pth").write_text(f"{DEPENDENCIES}\n", encoding="utf-8")
        for name in ("temporal", "temporal-test-server"):
            shutil.copy(Path(sysconfig.get_path("scripts")) / name, self._at("/opt/venv/bin") / name)

    def _inside(
        self,
        command: Sequence[str],
        *,
        workdir: Path,
        user: str,
        variables: Mapping[str, str],
        workspace: Path | None = None,
    ) -> list[str]:
        """Runs ``command`` in the root folder; with a ``workspace``, only /tmp and the volumes can be written to."""
        lent = {"/usr": "/usr", sysconfig.get_path("purelib"): DEPENDENCIES, sys.base_prefix: sys.base_prefix}
        script = [f"mount --rbind /{name} {shlex.quote(str(self._at(name)))}" for name in ("proc", "dev")]
        script += [_bound(source, self._at(target), read_only=True) for source, target in lent.items()]
        if workspace is not None:
            volumes = [path for item in self.stage.of("VOLUME") for path in item.arguments]
            script = [_bound(self.root, self.root, read_only=True), *script]
            script += [_bound(self._volume(path), self._at(path)) for path in volumes]
            script += [
                _bound(workspace, self._at(workdir)),
                f"mount -t tmpfs tmpfs {shlex.quote(str(self._at('tmp')))}",
            ]
            script += [f"chmod 1777 {shlex.quote(str(self._at('tmp')))}"]
        given = " ".join(shlex.quote(f"{name}={value}") for name, value in variables.items())
        change = f"cd {shlex.quote(str(workdir))} && exec {shlex.join(command)}"
        script.append(
            f"exec chroot --userspec={user} --groups= {shlex.quote(str(self.root))} "
            f"/usr/bin/env -i {given} /bin/sh -c {shlex.quote(change)}"
        )
        return ["unshare", "--mount", "--propagation", "private", "/bin/sh", "-e", "-c", "\n".join(script)]

    def _volume(self, path: str) -> Path:
        """A volume that is new has what the image has there, with its owners."""
        volume = self.root.parent / f"volume{path.replace('/', '-')}"
        if not volume.exists():
            shutil.copytree(self._at(path), volume)
            for place in (volume, *volume.rglob("*")):
                original = self._at(path) / place.relative_to(volume)
                os.chown(place, original.stat().st_uid, original.stat().st_gid)
        return volume


def _ended(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )


def _bound(source: Path | str, target: Path, *, read_only: bool = False) -> str:
    names = f"{shlex.quote(str(source))} {shlex.quote(str(target))}"
    bound = f"mount --bind {names}"
    return f"{bound}\nmount -o remount,bind,ro {shlex.quote(str(target))}" if read_only else bound
