# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A restore of a small database against bare pgBackRest, in turn: copy and recovery, without the verification."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from benchmarks import results
from benchmarks.restore import GOALS, bare, figures, ours
from benchmarks.restore.database import Database

SIZE = 32 << 20
ROUNDS = 3
BOUND = results.read(GOALS)["small"]


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    folder = Path(tempfile.mkdtemp(prefix="continuity-unit-", dir="/tmp"))  # short, for the sockets
    folder.chmod(0o755)
    made = Database(folder)
    try:
        made.filled(SIZE)
        bare.backup(made)
        made.changed(SIZE)
        yield made
    finally:
        made.end()
        shutil.rmtree(folder)


def case(name: str, samples: list[dict[str, float]]) -> dict[str, Any]:
    return figures.entry(name, "bare", [{"seconds": seconds} for seconds in samples])


def ratio(theirs: list[dict[str, float]], mine: list[dict[str, float]]) -> float:
    cases = figures.with_ratios({"bare": case("bare", theirs), "ours": case("ours", mine)})
    return cases["ours"]["ratios"]["compared"]


def test_copy_and_recovery_cost_little_more_than_by_hand_and_a_delay_is_noticed(database: Database) -> None:
    label = database.newest["label"]
    theirs, mine = [], []
    for _round in range(ROUNDS):
        seconds, rows = bare.restore(database, label)
        theirs.append(seconds)
        mine.append(ours.restore_step(database))
        assert [(rows,)] == database.sql("select count(*) from pgbench_history")
    found = ratio(theirs, mine)
    assert found <= BOUND, f"{found} times as long as by hand, the bound is {BOUND}: {theirs} {mine}"

    planted = BOUND * median(seconds["wall"] for seconds in theirs)

    def slow(script: str, seconds: float) -> Any:
        if "systemd-run" in script and "continuity-restore-" in script:
            time.sleep(planted)
        return database.run(script, seconds)

    assert ratio(theirs, [ours.restore_step(database, slow)]) > BOUND
