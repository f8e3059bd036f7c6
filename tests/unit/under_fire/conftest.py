# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A battlefield for each test: members as directories, a real name server, controllers as processes."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns_named
import fire_controller
import pytest
import under_fire

NUMBERS = itertools.count()
TOOLS = Path(fire_controller.__file__).parent


class Run:
    """A controller that was started; it is read line by line, and stopped and killed as a whole."""

    def __init__(self, given: dict[str, Any]) -> None:
        paths = [str(TOOLS), *(path for path in sys.path if path)]
        self.process = subprocess.Popen(
            [sys.executable, str(TOOLS / "fire_controller.py"), json.dumps(given)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        )

    def until(self, *words: str) -> dict[str, Any]:
        """Read on until it says one of the words; a process that ended without it fails the test."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            said: dict[str, Any] = json.loads(line)
            if said["said"] in words:
                return said
        raise AssertionError(f"it never said {' or '.join(words)}: exit code {self.process.wait(10)}")

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def send(self, number: int) -> None:
        os.killpg(self.process.pid, number)

    def end(self) -> None:
        if self.process.poll() is None:
            self.send(signal.SIGKILL)
        self.process.wait(10)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


class Fire(under_fire.Field):
    """The members, and a name of their own at the name server."""

    def __init__(self, home: Path, servers: dns_named.NameServers) -> None:
        super().__init__(home)
        self.port = servers.ports[dns_named.PRIMARY]
        self.name = f"fire{next(NUMBERS)}.shop.example."
        self.runs: list[Run] = []
        self.ahead = 0.0
        self.pass_time(0.0)

    def pass_time(self, seconds: float) -> None:
        """Time goes by, on the members and on every controller, also on those that sleep."""
        super().pass_time(seconds)
        self.ahead += seconds
        new = self.home / "ahead.new"
        new.write_text(str(self.ahead))
        new.replace(self.home / "ahead")

    def given(self, run: str, **other: Any) -> dict[str, Any]:
        secret = dns_named.SECRETS["continuity"]
        known = {"run": run, "home": str(self.home), "members": list(self.members), "act_on": self.members[-1]}
        return {**known, "name": self.name, "port": self.port, "secret": secret, **other}

    def controller(self, run: str, **other: Any) -> Run:
        started = Run(self.given(run, **other))
        self.runs.append(started)
        return started

    def end(self) -> None:
        for run in self.runs:
            run.end()


@pytest.fixture(scope="session")
def name_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dns_named.NameServers]:
    """One BIND for all tests here."""
    with dns_named.NameServers(tmp_path_factory.mktemp("named"), (dns_named.PRIMARY,)) as servers:
        yield servers


@pytest.fixture
def fire(tmp_path: Path, name_servers: dns_named.NameServers) -> Iterator[Fire]:
    made = Fire(tmp_path / "fire", name_servers)
    yield made
    made.end()


@pytest.fixture
def field(tmp_path: Path) -> under_fire.Field:
    """Members alone, without a name server."""
    return under_fire.Field(tmp_path / "field")


@pytest.fixture
def chance() -> random.Random:
    """Randomness whose seed is shown with a failure; CONTINUITY_SEED repeats it."""
    seed = int(os.environ.get("CONTINUITY_SEED") or random.SystemRandom().randrange(2**32))
    print(f"CONTINUITY_SEED={seed}")
    return random.Random(seed)
