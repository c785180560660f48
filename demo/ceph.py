"""`make test-s3`: a real Ceph of our own, with one monitor, one disk and one S3 gateway, and the tests that need it.

It lives in a temporary folder, listens on free loopback ports only, and is gone afterwards. Root starts the daemons as
the user `ceph` that Debian's packages make, anybody else as themselves.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil

from demo.processes import LOOPBACK, Child, ServiceError, end, free_port, is_listening, members
from demo.services import ROOT, S3

MONITOR, DISK, GATEWAY = "ceph-mon", "ceph-osd", "radosgw"
KMS_KEY_ID = "retraining"
_DAEMONS = {MONITOR: ["-i", "a"], DISK: ["-i", "0"], GATEWAY: ["-n", "client.rgw.a"]}
_PACKAGES = [MONITOR, DISK, GATEWAY]
_INSTALL = ["apt-get", "install", "-qq", "-y", "--no-install-recommends", *_PACKAGES]
_PROGRAMS = [*_DAEMONS, "ceph", "monmaptool", "radosgw-admin"]
_PATIENCE_S = 90
# Ceph's own log-in between daemons is off: all of them are ours and on loopback. S3 requests are signed all the same.
_CONF = """[global]
fsid = {fsid}
mon host = [v2:{loopback}:{mon_port}]
public addr = {loopback}
cluster addr = {loopback}
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc
run dir = {folder}/run
crash dir = {folder}/crash
admin socket =
pid file =
log file =
log to stderr = true
err to stderr = true
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
mon data avail crit = 1
{class_dir}
[mon.a]
mon data = {folder}/mon
[osd.0]
osd data = {folder}/osd
osd memory target = 939524096
bluestore block size = 4294967296
[client.rgw.a]
rgw frontends = beast endpoint={loopback}:{port} tcp_nodelay=1
rgw init timeout = 60
rgw crypt require ssl = false
rgw crypt s3 kms backend = testing
rgw crypt s3 kms encryption keys = {kms_key_id}={kms_key}
"""


def install() -> None:
    """Install Ceph's daemons if one is missing, which takes root and apt-get."""
    if not (missing := _missing()):
        return
    what = f"Ceph is missing or incomplete (no {', no '.join(missing)})"
    if os.getuid() != 0 or shutil.which("apt-get") is None:
        how = f"apt-get install --no-install-recommends {' '.join(_PACKAGES)}"
        raise ServiceError(f"{what}: install it as root (Debian, Ubuntu: {how}).")
    sys.stdout.write("Installing Ceph: about 70 MB, which takes a minute or two\n")
    sys.stdout.flush()
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    # An update that fails may be about a source that Ceph does not come from.
    subprocess.run(["apt-get", "update", "-qq"], capture_output=True, check=False, env=env)
    done = subprocess.run(_INSTALL, capture_output=True, text=True, check=False, env=env)
    if done.returncode or (missing := _missing()):
        said = done.stderr.strip().splitlines() if done.returncode else []
        reason = said[-1] if said else f"there is still no {', no '.join(missing)}"
        raise ServiceError(f"{what}, and `{' '.join(_INSTALL)}` did not help ({reason}): mend that, then try again.")


def _missing() -> list[str]:
    return [name for name in _PROGRAMS if shutil.which(name) is None]


class Node:
    """One Ceph in a folder, whose daemons can be started and killed one by one."""

    def __init__(self, folder: Path) -> None:
        """Choose ports; nothing is written or started yet."""
        self.folder = folder
        self.port, self._mon_port = free_port(), free_port()
        self._owner = "ceph" if os.getuid() == 0 else None
        self._children: dict[str, Child] = {}

    def make(self) -> None:
        """Make the monitor's and the disk's data and start all daemons."""
        fsid, disk, monmap = str(uuid.uuid4()), str(uuid.uuid4()), str(self.folder / "run" / "monmap")
        self._write(fsid)
        self.run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", f"[v2:{LOOPBACK}:{self._mon_port}]", monmap)
        self.run(MONITOR, "--mkfs", "-i", "a", "--monmap", monmap)
        self.start(MONITOR)
        self.run("ceph", "--connect-timeout", "30", "osd", "new", disk)
        self.run(DISK, "--mkfs", "-i", "0", "--osd-uuid", disk)
        self.start(DISK)
        self.start(GATEWAY)

    def _write(self, fsid: str) -> None:
        for name in ("run", "crash", "mon", "osd"):
            (self.folder / name).mkdir()
        classes = next(Path("/usr").glob("lib*/*/rados-classes"), None)  # the path that Ceph knows may be relative
        conf = _CONF.format(
            fsid=fsid,
            loopback=LOOPBACK,
            folder=self.folder,
            port=self.port,
            mon_port=self._mon_port,
            class_dir=f"osd class dir = {classes}" if classes else "",
            kms_key_id=KMS_KEY_ID,
            kms_key=base64.b64encode(secrets.token_bytes(32)).decode(),
        )
        (self.folder / "ceph.conf").write_text(conf)
        if self._owner:
            for path in (self.folder, *self.folder.rglob("*")):
                shutil.chown(path, self._owner, self._owner)

    def run(self, program: str, *arguments: str) -> str:
        """Run one of Ceph's programs to its end and return what it printed."""
        command = self._command(program, *arguments)
        try:
            done = subprocess.run(
                command,
                env=self._env(),
                cwd=self.folder,
                user=self._owner,
                group=self._owner,
                extra_groups=[] if self._owner else None,
                capture_output=True,
                text=True,
                check=True,
                timeout=_PATIENCE_S,
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            ended = [child.last_words() for child in self._children.values() if not child.is_alive()]
            said = "\n".join([f"{program}: {error}", *str(error.stderr or "").splitlines()[-15:], *ended])
            raise ServiceError(said) from None
        return done.stdout

    def start(self, name: str) -> None:
        """Start a daemon and wait until it serves."""
        work, log = self.folder / "work" / name, self.folder / "log" / f"{name}.log"
        child = Child(name, self._command(name, "-f", *_DAEMONS[name]), self._env(), work, log, user=self._owner)
        self._children[name] = child
        child.wait_until(lambda: self._serves(name), patience_s=_PATIENCE_S)

    def kill(self, name: str) -> None:
        """Kill a daemon with SIGKILL, as a machine that fails does."""
        child = self._children[name]
        for process in members(child.folder):
            process.kill()
        child.stop()

    def stop(self) -> None:
        """End every daemon, the gateway first."""
        for child in reversed(self._children.values()):
            child.stop(patience_s=5)  # long enough where nothing was killed before, and nothing here is kept

    def daemons(self) -> list[psutil.Process]:
        """Return the processes of all daemons."""
        return [process for child in self._children.values() for process in members(child.folder)]

    def user(self, name: str) -> S3:
        """Make an S3 user, whose credentials the gateway makes up."""
        said = self.run("radosgw-admin", "-n", "client.rgw.a", "user", "create", "--uid", name, "--display-name", name)
        keys = json.loads(said)["keys"][0]
        return S3(self.port, keys["access_key"], keys["secret_key"])

    def _serves(self, name: str) -> bool:
        if name == DISK:
            said = self.run("ceph", "--connect-timeout", "30", "osd", "stat", "-f", "json")
            return bool(json.loads(said)["num_up_osds"])
        return is_listening(self.port if name == GATEWAY else self._mon_port)

    def _command(self, program: str, *arguments: str) -> list[str]:
        return [shutil.which(program) or program, "-c", str(self.folder / "ceph.conf"), *arguments]

    def _env(self) -> Mapping[str, str]:
        return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "HOME": str(self.folder)}


@contextlib.contextmanager
def ceph_node(folder: Path) -> Iterator[Node]:
    """Run a Ceph with an empty store, and end it whatever happens.

    Parameters
    ----------
    folder : Path
        Gets the configuration, the data and the logs.
    """
    node = Node(folder)
    try:
        node.make()
        yield node
    finally:
        node.stop()


def main(arguments: Sequence[str]) -> int:
    """Install Ceph where it is missing, run the tests, which start it, and end what they leave if they are killed."""
    install()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with tempfile.TemporaryDirectory(prefix="retraining-ceph-") as made:
        folder = Path(made)
        folder.chmod(0o711)  # the user `ceph` finds the way to a folder of its own in it, and sees nothing else
        # The project's own options keep this folder out of `make test`.
        options = ["-o", "addopts=--import-mode=importlib --strict-markers -ra", "--timeout=300", "-m", "ceph"]
        command = [sys.executable, "-m", "pytest", *options, "tests/servers", *arguments]
        tests = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "TMPDIR": made})
        try:
            return tests.wait()
        except KeyboardInterrupt:  # a terminal tells the tests too, and they say how far they came
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            with contextlib.suppress(subprocess.TimeoutExpired):
                tests.wait(timeout=30)
            return 128 + signal.SIGINT
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            _end(tests, folder)


def _end(tests: subprocess.Popen[bytes], folder: Path) -> None:
    for process in psutil.process_iter():  # the tests and what they started, also if they were killed themselves
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get("TMPDIR") == str(folder):
                process.kill()
    tests.wait()
    for nodes in folder.glob("*/work"):
        for work in nodes.iterdir():
            end(work)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except ServiceError as error:
        sys.exit(str(error))
