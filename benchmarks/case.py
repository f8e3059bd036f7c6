# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a case is, and how one repetition of any case is measured: the same way for all of them."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import credentials

from benchmarks import figures, places
from benchmarks.load import Load
from benchmarks.places import ADDRESSES, CACHING, NAME, RESOLVERS, Place


@dataclass(frozen=True)
class Acted:
    """What a case did: how long its command took, when it began, and the parts that it can tell (in ms)."""

    began_ns: int
    wall_seconds: float | None  # null: nobody typed anything
    parts: Mapping[str, float] = field(default_factory=dict)
    controller: Mapping[str, float] = field(default_factory=dict)  # what its command took of the machine it ran on
    #: where one command moved many services, each with a client of its own: seconds by service, and all lost rows
    outages: Mapping[str, float] = field(default_factory=dict)
    lost: int = 0


class Case:
    """One row of the table. A peer derives one class for each thing that it does."""

    name: str
    title: str
    peer = ""  # what must have been installed
    place: Place | None = None  # null: no client writes, only the command's wall time is measured
    reach = "name"  # how the client finds the primary: name, cache (a caching resolver) or hosts (tries both)
    measure = "outage_seconds"
    floor = ""  # the case that its ratio is taken to
    moves = True  # the other server is primary afterwards; false: the product decides which
    served_seconds = 30.0  # how long after the command the new primary may need to serve
    chance = random.Random(1)  # whatever is left to chance; the run seeds it

    def prepare(self) -> None:
        """Everything healthy, and whatever the case needs running; not measured."""

    def act(self) -> Acted:
        """What is measured."""
        raise NotImplementedError

    def clean(self) -> None:
        """Stop what only this case needs; it must not disturb the others. Not measured."""


def measure(case: Case, run_id: str) -> dict[str, Any]:
    """One repetition: a sample, as it is kept. Raises what went wrong; the case is cleaned up either way."""
    try:
        case.prepare()
        load_average = os.getloadavg()[0]  # of the machine before the case begins: what else was going on
        sample = _measure_wall(case) if case.place is None else _measure_outage(case, case.place, run_id)
        return {**sample, "load_average": round(load_average, 2)}
    finally:
        case.clean()


def _measure_wall(case: Case) -> dict[str, Any]:
    acted = case.act()
    many = {"outages": {name: round(value, 4) for name, value in acted.outages.items()}, "lost": acted.lost}
    return {
        "wall_seconds": round(acted.wall_seconds or 0.0, 4),
        "parts": _rounded(acted.parts),
        **_cost(acted),
        **(many if acted.outages else {}),
    }


def _measure_outage(case: Case, place: Place, run_id: str) -> dict[str, Any]:
    primary = place.healthy()
    target = place.other(primary)
    load = Load(run_id, login(place, case.reach), hosts(place, primary) if case.reach == "hosts" else [])
    try:
        load.start()
        acted = case.act()
        load.served(ADDRESSES[target] if case.moves else None, case.served_seconds, since_ns=acted.began_ns)
    finally:
        rows = load.stop()
    surviving = place.rows(target if case.moves else place.primary(), run_id)
    return {
        "outage_seconds": round(figures.longest_gap(rows, acted.began_ns), 4),
        "wall_seconds": None if acted.wall_seconds is None else round(acted.wall_seconds, 4),
        "lost": figures.lost(rows, surviving),
        "acknowledged": sum(1 for row in rows if row.acknowledged),
        "in_doubt": sum(1 for row in rows if row.outcome == "in_doubt"),
        "surviving": len(surviving),
        "parts": _rounded(acted.parts),
        **_cost(acted),
    }


def login(place: Place, reach: str) -> dict[str, Any]:
    """Where the client goes and as whom."""
    return {
        "name": NAME,
        "database": places.DATABASE,
        "role": "canary",
        "password": credentials.secret("canary"),
        "ports": {ADDRESSES[machine]: port for machine, port in place.ports.items()},
        "resolvers": CACHING if reach == "cache" else RESOLVERS,
    }


def hosts(place: Place, primary: str) -> list[str]:
    """Both servers; the present primary first, as in a connection string that was right when it was written."""
    return [ADDRESSES[primary], ADDRESSES[place.other(primary)]]


def timed(action: Any) -> Acted:
    """Run it and note how long it took."""
    began, started = time.monotonic_ns(), time.monotonic()
    parts = action()
    return Acted(began, time.monotonic() - started, parts if isinstance(parts, Mapping) else {})


def _cost(acted: Acted) -> dict[str, Any]:
    return {"controller": dict(acted.controller)} if acted.controller else {}


def _rounded(parts: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 2) for name, value in parts.items()}
