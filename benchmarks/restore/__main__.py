# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Back up and restore a database with bare pgBackRest and with the verbs, in turn; write restore.json and the page.

A smaller database or fewer rounds than by default are for trying: the results stay in build/bench and the page stays.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from say import LabError

from benchmarks import about, results
from benchmarks.restore import GOALS, PAGE, PLACE, RESULTS, bare, figures, ours, page
from benchmarks.restore.database import PGBACKREST, Database, cold
from benchmarks.where import CHECKOUT

PUBLISHED_GB, PUBLISHED_ROUNDS = 5.0, 2
#: The data, two backups of it, one restored copy, and the log
NEEDED = 4
TITLES = {
    "bare_restore": "`pgbackrest restore`, then the server until it has recovered",
    "continuity_restore": "continuity.dr: `restore` beside the data",
    "bare_backup": "`pgbackrest backup`, full",
    "continuity_backup": "continuity.dr: `backup` with `backup_type=full`",
}
Case = Callable[[], dict[str, float]]
Samples = dict[str, list[dict[str, Any]]]


def main(arguments: list[str]) -> int:
    """One run; the process's exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.restore", description=__doc__)
    parser.add_argument("--gb", type=float, default=PUBLISHED_GB, help="size of the database in GiB")
    parser.add_argument("--rounds", type=int, default=3, help="repetitions of each case")
    parser.add_argument("--page", action="store_true", help="measure nothing, render the page from restore.json again")
    options = parser.parse_args(arguments)
    goals = results.read(GOALS)["verbs"]
    if options.page:
        PAGE.write_text(page.render(results.read(RESULTS), goals["continuity_restore"]), encoding="utf-8")
        return 0
    size = int(options.gb * 2**30)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what is below is undone then as well
    database = Database(_emptied(PLACE, size))
    try:
        found = _run(database, size, options.rounds)
    finally:
        database.end()
        shutil.rmtree(PLACE)
    whole = options.gb >= PUBLISHED_GB and options.rounds >= PUBLISHED_ROUNDS
    output = RESULTS if whole else PLACE.with_suffix(".json")
    results.write(output, found)
    if whole:
        PAGE.write_text(page.render(found, goals["continuity_restore"]), encoding="utf-8")
    wrong = figures.problems(found["cases"], goals if whole else {})
    print("\n".join([page.tables(found), f"written: {output}", *(f"problem: {text}" for text in wrong)]))
    return 1 if wrong else 0


def _emptied(place: Path, size: int) -> Path:
    """The directory to work in; the database's own user must come there."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    free, need = shutil.disk_usage(place).free, NEEDED * size
    if free < need:
        raise LabError(f"{place} has {free >> 30} GiB free and {need >> 30} are needed; give a smaller --gb")
    return place


def _run(database: Database, size: int, rounds: int) -> dict[str, Any]:
    started, described = datetime.now(UTC), about.machine()
    step(f"a database of {size / 2**30:.1f} GiB is made")
    database.filled(size)
    backups = {"bare_backup": lambda: bare.backup(database), "continuity_backup": lambda: ours.backup(database)}
    samples = _rounds(backups, rounds, database.data)
    database.changed(size)
    newest, log = database.newest, database.log_bytes()
    label = newest["label"]
    restores = {
        "bare_restore": lambda: _with_rows(bare.restore(database, label), database),
        "continuity_restore": lambda: _with_rows(ours.restore(database, label), database),
    }
    samples |= _rounds(restores, rounds, database.home / "repo1")
    entries = {name: figures.entry(TITLES[name], f"bare_{name.partition('_')[2]}", samples[name]) for name in TITLES}
    return {
        "schema": 1,
        "started": started.isoformat(timespec="seconds"),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "rounds": rounds,
        "size_bytes": newest["info"]["size"],
        "repository_bytes": newest["info"]["repository"]["size"],
        "log_bytes": log,
        "machine": {**described, "versions": _versions(database)},
        "settings": [line for line in PGBACKREST.splitlines() if line.split("=")[0] in page.SETTINGS],
        "cases": figures.with_ratios(entries),
    }


def _rounds(cases: Mapping[str, Case], rounds: int, read: Path) -> Samples:
    """Each round takes every case once, every other one in reverse; each begins with what it reads on the disk only."""
    samples: Samples = {name: [] for name in cases}
    for number in range(1, rounds + 1):
        for place, name in enumerate(cases if number % 2 else reversed(list(cases)), start=1):
            cold(read)
            told: dict[str, Any] = {"round": number, "order": place, "load_average": round(os.getloadavg()[0], 2)}
            try:
                told["seconds"] = {part: round(value, 3) for part, value in cases[name]().items()}
            except Exception as error:  # a bad repetition must not end the others
                traceback.print_exc()
                told["failed"] = f"{type(error).__name__}: {str(error)[-1500:]}"
            samples[name].append(told)
            step(f"round {number}/{rounds} {name}: {told.get('failed') or told['seconds']}")
    return samples


def _with_rows(restored: tuple[dict[str, float], int], database: Database) -> dict[str, float]:
    """The seconds, if what was restored holds all that was committed: else nothing was compared."""
    seconds, rows = restored
    ((there,),) = database.sql("select count(*) from pgbench_history")
    if rows != there:
        raise ValueError(f"{rows} rows of history were restored, and the primary has {there}")
    return seconds


def step(text: str) -> None:
    """Say what is being done."""
    print(f"{datetime.now(UTC):%H:%M:%S}  {text}", flush=True)


def _versions(database: Database) -> dict[str, str]:
    return {
        **about.versions("ansible-core"),
        "commit": about.said(["git", "-C", str(CHECKOUT), "describe", "--always", "--dirty"]),
        "pgbackrest": about.said(["pgbackrest", "version"]).split()[-1],
        "postgresql": about.said([str(database.bin_directory / "postgres"), "--version"]).split()[2],
    }


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except LabError as error:
        print(f"bench-restore: {error}", file=sys.stderr)
        sys.exit(2)
