# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Taking a measurement while the client writes, and keeping the measurements of a run in one file."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.canary.config import Login
from ansible_collections.continuity.dr.plugins.plugin_utils.canary.control import why_not
from ansible_collections.continuity.dr.plugins.plugin_utils.canary.errors import CanaryError
from ansible_collections.continuity.dr.plugins.plugin_utils.canary.record import in_use, read
from ansible_collections.continuity.dr.plugins.plugin_utils.canary.table import read_surviving
from ansible_collections.continuity.dr.plugins.plugin_utils.canary.tail import StableService, Tail
from ansible_collections.continuity.dr.plugins.plugin_utils.core.ledger import format_time
from ansible_collections.continuity.dr.plugins.plugin_utils.core.measurement import Fenced, fenced_rows, measure
from ansible_collections.continuity.dr.plugins.plugin_utils.core.outage import Expected

LEAST_READ_SECONDS = 3.0
#: Under this stage stands what fenced members acknowledged until the client ended.
END = "end"


@dataclass(frozen=True)
class Request:
    """What is to be measured. Times are seconds since 1970."""

    service: str
    run_id: str
    stage: str
    ledger: str
    login: Login
    table: str
    window_start: float | None = None
    fault_time: float | None = None
    expected: Expected | None = None
    fenced: Sequence[Fenced] = ()
    stable_for_seconds: float = 2.0
    timeout_seconds: float = 30.0


def take(request: Request) -> dict[str, Any]:
    """Wait until the service is stable, read the surviving rows, measure, and keep the result beside the ledger.

    Raises CanaryError `not_stable` with the `measurement` in its fields when the service was not stable in time: what
    could be measured is kept all the same, and what could not is null.
    """
    path = Path(request.ledger)
    if not path.exists():
        raise CanaryError(f"no canary has run for {request.service}: {path} is not there", reason="no_ledger")
    began = time.monotonic()
    tail = Tail(path)
    since = max((one for one in (request.window_start, request.fault_time) if one is not None), default=None)
    stable = tail.wait(StableService(request.expected, request.stable_for_seconds, since), request.timeout_seconds)
    left = max(LEAST_READ_SECONDS, request.timeout_seconds - (time.monotonic() - began)) if stable else 0.0
    measurement = _measure(request, tail, left)
    _keep(request.ledger, measurement)
    if not stable:
        raise CanaryError(
            f"{request.service} was not stable for {request.stable_for_seconds:g} s within "
            f"{request.timeout_seconds:g} s: {why_not(tail)}",
            reason="not_stable",
            measurement=measurement,
        )
    return measurement


def end(ledger: str, service: str, run_id: str, fenced: Sequence[Fenced]) -> dict[str, Any]:
    """Look through the whole ledger of a client that has ended for rows of fenced members, and keep what was found.

    The stages look at it while the client writes: what comes after the last of them is seen only here.
    """
    found = fenced_rows(read(ledger).rows, fenced)
    about = {"stage": END, "service": service, "run_id": run_id, "taken": format_time(time.time())}
    _keep(ledger, {**about, **found.to_dict()})
    return found.to_dict()


def measurement_file(ledger: str) -> Path:
    """Where the measurements of a ledger are kept: `payments-db.json` beside `payments-db.jsonl`."""
    return Path(ledger.removesuffix(".jsonl") + ".json")


def _measure(request: Request, tail: Tail, left: float) -> dict[str, Any]:
    """Measure the rows that are there now; a later acknowledgement would not be in the table that is read next."""
    surviving, server, unknown = None, None, ""
    try:
        surviving, server = read_surviving(request.login, request.table, request.run_id, request.expected, left)
    except CanaryError as error:
        unknown = str(error)
    measured = measure(
        tail.rows,
        window_start=request.window_start,
        fault_time=request.fault_time,
        expected=request.expected,
        fenced=request.fenced,
        surviving=surviving,
        already_lost=_lost_before(measurement_file(request.ledger), request.stage),
        stable_for_seconds=request.stable_for_seconds,
    )
    ended = None if in_use(request.ledger) else (tail.ended or {}).get("reason", "killed")
    return {
        "stage": request.stage,
        "service": request.service,
        "run_id": request.run_id,
        "taken": format_time(time.time()),
        "fault_time": None if request.fault_time is None else format_time(request.fault_time),
        "stable_for_seconds": request.stable_for_seconds,
        **measured.to_dict(),
        "surviving_from": None if server is None else _facts(server),
        "surviving_unknown": unknown,
        "canary_ended": ended,
    }


def _facts(server: Any) -> dict[str, Any]:
    return {name: getattr(server, name) for name in ("address", "port", "system_id", "timeline", "in_recovery")}


def load(path: Path) -> list[dict[str, Any]]:
    """The measurements kept so far, in the order in which they were taken."""
    try:
        return list(json.loads(path.read_text(encoding="utf-8"))["measurements"])
    except FileNotFoundError:
        return []


def _lost_before(path: Path, stage: str) -> frozenset[int]:
    """Rows that other stages of this run have counted as lost: they are missing ever after, and lost once."""
    spans = [span for one in load(path) if one["stage"] != stage for span in one.get("lost_ranges") or ()]
    return frozenset(number for first, last in spans for number in range(first, last + 1))


def _keep(ledger: str, measurement: dict[str, Any]) -> None:
    path = measurement_file(ledger)
    kept = [one for one in load(path) if one["stage"] != measurement["stage"]]
    document = {
        "schema": 1,
        "service": measurement["service"],
        "run_id": measurement["run_id"],
        "ledger": Path(ledger).name,
        "measurements": [*kept, measurement],
    }
    half = path.with_suffix(".json.part")
    half.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    os.replace(half, path)
