# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which drawings a report gets. matplotlib is imported here and only if there is one to make."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from markupsafe import Markup

from ansible_collections.continuity.dr.plugins.plugin_utils.core.verdict import VERDICTS
from ansible_collections.continuity.dr.plugins.plugin_utils.report import text
from ansible_collections.continuity.dr.plugins.plugin_utils.report.source import seconds_of

_HERE = __name__.rpartition(".")[0]
#: services with drawings of their own; every drawing costs some 40 ms and 20 kB
MOST_SERVICES = 8
#: above this many services the drawings of the whole run show a service as one bar, without its stages
_MOST_STAGED = 6
#: steps that a run takes although it does nothing
_IDLE = frozenset({"decide", "observe", "outcome"})


_MISSING = "the Python library matplotlib is missing on the controller: pip install 'matplotlib>=3.8,<4'"


@dataclass
class Drawings:
    """SVG by the name of the drawing; `missing` says why there is none where one was expected."""

    found: dict[str, Markup] = field(default_factory=dict)
    missing: str = ""

    def get(self, name: str) -> Markup:
        """The drawing, or nothing."""
        return self.found.get(name, Markup(""))


Make = Callable[[], Any]


def draw(report: Mapping[str, Any]) -> Drawings:
    """Everything that can be drawn of a report. Nothing that goes wrong here stops a page from being written."""
    return made({**_whole(report), **_services(report)})


def made(wanted: Mapping[str, tuple[str, Callable[[ModuleType], Any]]]) -> Drawings:
    """`wanted`: by name the module that draws it, and what to ask of that module."""
    drawings = Drawings()
    if not wanted:
        return drawings
    drawing = importlib.import_module(f"{_HERE}.drawing")
    if drawing.MISSING is not None:
        drawings.missing = _MISSING
        return drawings
    for name, (module, ask) in wanted.items():
        try:
            source = importlib.import_module(f"{_HERE}.{module}")
            drawings.found[name] = Markup(drawing.drawn(lambda ask=ask, source=source: ask(source)))
        except Exception as error:  # a drawing is an extra: whatever a plan or a member says, the page is written
            drawings.missing = f"{name} could not be drawn ({type(error).__name__}: {error})"
    return drawings


def of(service: Mapping[str, Any], path: str) -> list[tuple[str, str, Mapping[str, Any]]]:
    """The moves of a service: label, path and entry of each stage, or of the service where it has none."""
    if not service["stages"]:
        return [(service["service"], path, service)]
    return [(f"{service['service']}, {e['stage']}", f"{path}.stages.{n}", e) for n, e in enumerate(service["stages"])]


def detailed(report: Mapping[str, Any]) -> Sequence[int]:
    """The services that are drawn one by one, worst verdicts first."""
    order = sorted(enumerate(report["services"]), key=lambda each: VERDICTS.index(each[1]["verdict"]))
    return sorted(index for index, _service in order[:MOST_SERVICES])


def compared(report: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The moves whose outage is drawn against its objective."""
    return [entry for _label, _path, entry in _away(report) if entry["rto"]["objective_seconds"]]


def _away(report: Mapping[str, Any]) -> list[tuple[str, str, Mapping[str, Any]]]:
    """The moves of which an outage is known, measured or at least so long."""
    return [each for each in _moves(report) if text.moves(each[2]) and text.away(each[2]["rto"]) is not None]


def _moves(report: Mapping[str, Any]) -> list[tuple[str, str, Mapping[str, Any]]]:
    services = report["services"]
    staged = len(services) <= _MOST_STAGED
    return [
        each
        for n, service in enumerate(services)
        for each in (of(service, f"services.{n}") if staged else [(service["service"], f"services.{n}", service)])
    ]


def _whole(report: Mapping[str, Any]) -> dict[str, tuple[str, Callable[[ModuleType], Any]]]:
    services, away = report["services"], _away(report)
    against = [each for each in away if each[2]["rto"]["objective_seconds"]]
    began = seconds_of(report["started"])
    placed = [
        (*each, start - began)
        for each in away
        if began is not None and (start := seconds_of(each[2]["rto"]["started"])) is not None
    ]
    found: dict[str, tuple[str, Callable[[ModuleType], Any]]] = {}
    if against:
        found["objectives"] = ("draw_objectives", lambda module: module.objectives("objectives", against))
    if placed and len(services) > 1:
        found["outages"] = ("draw_outage", lambda module: module.outages("outages", placed))
    return found


def _services(report: Mapping[str, Any]) -> dict[str, tuple[str, Callable[[ModuleType], Any]]]:
    found: dict[str, tuple[str, Callable[[ModuleType], Any]]] = {}
    began = seconds_of(report["started"])
    for index in detailed(report):
        service, path = report["services"][index], f"services.{index}"
        for _label, at, entry in of(service, path):
            if text.moves(entry) and any(entry["rto"]["phases"].values()):
                found[f"phases-{at}"] = ("draw_outage", _waterfall(f"phases-{at}".replace(".", "-"), at, entry))
        busy = any(step["step"] not in _IDLE for _l, _a, entry in of(service, path) for step in entry["steps"])
        if began is not None and (busy or service["client"]):
            found[f"run-{path}"] = ("draw_run", _run(f"run-{path}".replace(".", "-"), path, service, began))
    return found


def _waterfall(name: str, path: str, entry: Mapping[str, Any]) -> Callable[[ModuleType], Any]:
    return lambda module: module.waterfall(
        name, entry["stage"], path, entry["rto"]["phases"], text.seen_by_client(entry)
    )


def _run(name: str, path: str, service: Mapping[str, Any], began: float) -> Callable[[ModuleType], Any]:
    return lambda module: module.run_of(name, path, service, began)
