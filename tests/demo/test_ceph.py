"""Where Ceph cannot be installed, `make test-s3` says in one sentence what is missing and what to do, and fails."""

import os
import subprocess
import sys

import pytest

from demo.services import ROOT

FAILING = "#!/bin/sh\necho 'Reading package lists...'\necho 'E: Unable to locate package ceph-mon' >&2\nexit 100\n"


def told(path: str) -> str:
    """Return what is printed where only these programs are found."""
    done = subprocess.run(
        [sys.executable, "-m", "demo.ceph"], cwd=ROOT, env={"PATH": path}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    return line


def test_without_apt_it_says_what_to_install(tmp_path):
    assert told(str(tmp_path)) == (
        "Ceph is missing or incomplete (no ceph-mon, no ceph-osd, no radosgw, no ceph, no monmaptool, "
        "no radosgw-admin): install it as root "
        "(Debian, Ubuntu: apt-get install --no-install-recommends ceph-mon ceph-osd radosgw)."
    )


@pytest.mark.skipif(os.getuid() != 0, reason="only root is let to apt-get")
def test_packages_that_are_not_found_are_told_in_the_same_sentence(tmp_path):
    fake = tmp_path / "apt-get"
    fake.write_text(FAILING)
    fake.chmod(0o755)
    assert told(str(tmp_path)).endswith(
        "and `apt-get install -qq -y --no-install-recommends ceph-mon ceph-osd radosgw` did not help "
        "(E: Unable to locate package ceph-mon): mend that, then try again."
    )
