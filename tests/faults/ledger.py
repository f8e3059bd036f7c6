# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The ledger: what a client was told is committed must be on the surviving primary, or inside the loss of the report.

The rows are compared by tests/lab/count_loss.py, which asks no code of the collection either.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import credentials
import harness
import topology

RESOLVERS = ["198.51.100.53", "203.0.113.53"]
#: A row's time is when its answer came; the report counts between writes, and steps count from their own clock.
SLACK_SECONDS = 0.5
#: A row is answered, or in doubt, within seconds; a client that wrote nothing down for so long has hung.
HUNG_SECONDS = 30.0
END_SECONDS = 20.0
BOUND = re.compile(r"possible loss: at most ([0-9.]+) s")
#: Waived, they say that how much is lost is not known: no number is declared, and none is exceeded.
UNKNOWN = {"lag_unknown", "synchronous_unproven", "missing_candidate"}


def declared(service: Mapping[str, Any]) -> float:
    """The loss in seconds that one service's part of a report declares; infinite where an operator waived the number.

    >>> declared({"rpo": {"measured_seconds": 1.5}, "waivers": [], "evidence": []})
    1.5
    >>> declared({"rpo": {"measured_seconds": None}, "waivers": [], "evidence": ["possible loss: at most 3.0 s (...)"]})
    3.0
    """
    if UNKNOWN & {waiver["rule"] for waiver in service["waivers"]}:
        return float("inf")
    measured = (service["rpo"] or {}).get("measured_seconds")
    bounds = [float(bound) for bound in BOUND.findall(json.dumps(service["evidence"]))]
    return max([*bounds, float(measured or 0.0)])


def undeclared(acknowledged: Sequence[tuple[int, float]], lost: Sequence[int], seconds: float) -> list[int]:
    """The lost rows that are older than what was declared, counted back from the last acknowledged row around them.

    `acknowledged` are numbers and times. Rows are lost at the end of what one primary acknowledged; the next primary's
    rows come later, so the last lost row is the moment of the fault.

    >>> undeclared([(1, 1.0), (2, 2.0), (3, 3.0), (4, 9.0)], [1, 2, 3], 1.0)
    [1]
    """
    if not lost or not seconds:
        return list(lost)
    times = dict(acknowledged)
    fault = max(times[number] for number in lost)
    return [number for number in lost if fault - times[number] > seconds + SLACK_SECONDS]


class Ledger:
    """The client of one service, and the judgement on what it was told."""

    def __init__(self, service: str, run_id: str, folder: Path) -> None:
        self.service = service
        self._cluster = next(one for one in topology.CLUSTERS if one.service == service)
        self._run_id = run_id
        self._path = folder / f"ledger-{service}.jsonl"
        self._process: subprocess.Popen[str] | None = None
        self._wrong: list[str] = []  # with the client itself

    def start(self) -> None:
        """Begin to write."""
        ports = {topology.machine(member).address: port for member, port in self._cluster.ports.items()}
        settings = {
            "run_id": self._run_id,
            "ledger": str(self._path),
            "name": self._cluster.record,
            "resolvers": RESOLVERS,
            "ports": ports,
            "database": self._cluster.database,
            "password": credentials.secret("canary"),
        }
        words = [sys.executable, str(Path(__file__).with_name("client.py"))]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, text=True)
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(settings) + "\n")
        self._process.stdin.flush()

    def stop(self) -> None:
        """End the client; what it was told stays. That it ended before, or hung, is kept too."""
        process = self._process
        if process is None or process.stdin is None:
            self._wrong.append("its client was never started")
            return
        code = process.poll()
        last = self._path.stat().st_mtime if self._path.is_file() else 0.0
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        if code is not None:
            self._wrong.append(f"its client ended by itself, with {code}")
            return
        if time.time() - last > HUNG_SECONDS:
            self._wrong.append(f"its client wrote nothing down for more than {HUNG_SECONDS:g} s")
        try:
            code = process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        if code:
            self._wrong.append(f"its client ended with {code}")

    def acknowledged(self) -> list[tuple[int, float]]:
        """Numbers and times of the rows that were acknowledged so far."""
        lines = self._path.read_text(encoding="utf-8").splitlines() if self._path.is_file() else []
        rows = [json.loads(line) for line in lines if line.endswith("}")]
        return [(row["seq"], row["time"]) for row in rows if row.get("outcome") == "acknowledged"]

    def lost(self) -> list[int] | None:
        """The acknowledged rows that the surviving primary has not; null where not exactly one member is primary."""
        primaries = harness.writable(self._cluster.ports, self._cluster.database)
        if len(primaries) != 1:
            return None
        so_far = self._path.with_suffix(".so_far")
        shutil.copy(self._path, so_far)  # first: a row that is acknowledged while the table is read is not missing
        statement = f"select seq from continuity_canary where run_id = '{self._run_id}'"
        rows = harness.sql(primaries[0], self._cluster.ports[primaries[0]], statement, self._cluster.database)
        counter = [sys.executable, str(harness.LAB / "count_loss.py"), "--ledger", str(so_far), "--rows", "-"]
        said = subprocess.run(counter, input=rows, capture_output=True, text=True, check=True).stdout
        return list(json.loads(said)["lost_rows"])

    def violations(self, reports: Sequence[Mapping[str, Any]]) -> list[str]:
        """One line where rows are gone that no report declares lost, or where nobody knows."""
        wrong = [f"{self.service}: {text}: nobody knows what it would have been told since" for text in self._wrong]
        if not self.acknowledged():
            return [*wrong, f"{self.service}: nothing was acknowledged, so nothing could have been lost"]
        lost = self.lost()
        if lost is None:
            return [*wrong, f"{self.service}: there is no one primary at the end, so nobody knows what is left"]
        parts = [part for report in reports for part in report["services"] if part["service"] == self.service]
        # A run that was refused declares nothing, whatever it was to be allowed: it moved nobody
        seconds = max((declared(part) for part in parts if part["verdict"] != "refused"), default=0.0)
        gone = undeclared(self.acknowledged(), lost, seconds)
        if not gone:
            return wrong
        return [
            *wrong,
            f"{self.service}: {len(gone)} acknowledged rows are gone that no report declares, {gone[:5]} among them"
            f" (declared: {seconds:g} s; gone in all: {len(lost)})",
        ]
