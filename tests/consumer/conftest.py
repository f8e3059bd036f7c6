# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""examples/consumer as somebody who has only the archive would use it: a copy of it, its README, the lab's machines."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import harness
import pytest
from readme_project import Project

TOP = Path(__file__).resolve().parents[2]
LAB = TOP / "tests" / "lab"


@pytest.fixture(scope="session")
def project() -> Iterator[Project]:
    """The project, installed and given its rights as its README says; removed from the lab in the end."""
    path = TOP / "build" / "consumer"
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(TOP / "examples" / "consumer", path)
    (archive,) = (TOP / "build" / "dist").glob("continuity-dr-*.tar.gz")
    (path / "vendor").mkdir()
    shutil.copy(archive, path / "vendor" / "continuity-dr.tar.gz")
    if subprocess.run([sys.executable, str(LAB / "lab.py"), "status"], capture_output=True, check=False).returncode:
        harness.lab("reset")  # after tests of faults
    made = Project(path)
    made.section("Install")
    made.section("Rights")  # before there is any secret or machine
    consumer("secrets", str(path))
    consumer("up", str(path))
    yield made
    consumer("down")


def consumer(*words: str) -> None:
    """What the consumer's administrators do."""
    done = subprocess.run(
        [sys.executable, str(TOP / "tests" / "lab" / "consumer.py"), *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
