# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The verdict as a sentence for somebody who was not there: what moved, how long it was away, what was lost."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from markupsafe import Markup, escape

from ansible_collections.continuity.dr.plugins.plugin_utils.report import text
from ansible_collections.continuity.dr.plugins.plugin_utils.report.page.fields import Fields, visible

Entry = Mapping[str, Any]

#: letters of a message that go into a sentence, and unmet rules
LONGEST, _MOST_REASONS = 200, 3
_OVER_OBJECTIVE = re.compile(r"^(?:\w+: )?(?:outage|loss) .* is over the R[TP]O of ")
#: what a verb that moves nothing says when it is done
_DONE = {
    "assess": Markup("{name} can be moved{way} now."),
    "rejoin": Markup("{name} has its redundancy back; its primary stays where it is."),
}
_REFUSED = {"assess": Markup("{name} cannot be moved{way} now: {why}.")}


def service_sentence(fields: Fields, index: int) -> Markup:
    """One service of the run in one sentence."""
    path = f"services.{index}"
    service = fields.value(path)
    verb, name = fields.report["verb"], quoted(service["service"])
    if service["verdict"] == "nothing_to_do":
        there = Markup(" in {}").format(quoted(service["to"])) if service["to"] else ""
        told = Markup("Nothing had to be done for {}: its primary was already where it should be{}.")
        return told.format(name, there)
    if service["verdict"] == "refused":
        return _refused(service, verb, name)
    if service["verdict"] == "passed" and text.moves(service) and service["rto"]["measured_seconds"] is None:
        told = Markup("The {} of {}{} is done; its primary was there already and did not move.")
        return told.format(visible(verb), name, _way(service))
    if text.moves(service) and service["verdict"] != "failed":
        return _moved(fields, path, service, name)
    if service["verdict"] == "failed":
        return _failed(fields, path, service, verb, name)
    done = _DONE.get(verb, Markup("The {verb} of {name}{way} is done."))
    return done.format(verb=visible(verb), name=name, way=_way(service))


def run_sentence(fields: Fields) -> Markup:
    """The whole run: its one service, or how many services ended in which way."""
    services = fields.report["services"]
    if not services:
        return Markup("No service took part in this run.")
    if len(services) == 1:
        return service_sentence(fields, 0)
    verdicts = dict.fromkeys(service["verdict"] for service in services)
    ended = Markup(", ").join(
        Markup("{} {}").format(fields.number_of(each), text.VERDICT_TEXT[each].lower()) for each in verdicts
    )
    return Markup("{} services: {}.{}{}{}").format(
        fields.count("services.length"), ended, _longest(fields, services), _losses(services), _missed(services)
    )


def quoted(value: Any) -> Markup:
    """A name as it was given, apart from the sentence around it, whatever its direction of writing."""
    return Markup("<bdi>{}</bdi>").format(visible(value))


def _way(service: Entry) -> Markup:
    """` from dc1 to dc2`, as far as it is known."""
    ends = [("from", service["from"]), ("to", service["to"])]
    return Markup("").join(Markup(" {} {}").format(word, quoted(site)) for word, site in ends if site)


def _moved(fields: Fields, path: str, service: Entry, name: Markup) -> Markup:
    rto, rpo = service["rto"], service["rpo"]
    would = "would be" if fields.report["check_mode"] else "was"
    if fields.report["check_mode"] and rto["measured_seconds"] is None:
        return Markup("{} {} moved{}.").format(name, would, _way(service))
    parts = [
        Markup("{} {} moved{}{}").format(name, would, _way(service), _cause(service)),
        _was_away(fields, path, rto) or Markup("how long clients were without it was not measured"),
        _lost(fields, path, rpo),
        _objectives(fields, path, service),
    ]
    if service["degradations"]:
        left = Markup(", ").join(Markup("<code>{}</code>").format(visible(e["name"])) for e in service["degradations"])
        parts.append(Markup("left undone: {}").format(left))
    return Markup("; ").join(parts) + "."


def _outage(fields: Fields, path: str) -> Markup:
    """`2.41s`; `at least 1m` where the end of the outage was not seen."""
    if fields.value(f"{path}.rto.measured_seconds") is None:
        return Markup("at least {}").format(fields.seconds(f"{path}.rto.at_least_seconds"))
    return fields.seconds(f"{path}.rto.measured_seconds")


def _was_away(fields: Fields, path: str, rto: Entry) -> Markup:
    """How long the outage was, and who says so; nothing where nobody knows."""
    if text.away(rto) is None:
        return Markup("")
    if rto["source"] == "operator":
        return Markup("its outage was {} from the time that the operator gave").format(_outage(fields, path))
    return Markup("clients were without it for {}").format(_outage(fields, path))


def _cause(service: Entry) -> Markup:
    fault = service["fault"]
    if not fault:
        return Markup("")
    member = Markup(" on {}").format(quoted(fault["member"])) if fault["member"] else ""
    return Markup(" after the drill's fault ({}{})").format(quoted(fault["name"]), member)


def _lost(fields: Fields, path: str, rpo: Entry) -> Markup:
    if rpo["lost"] is None:
        if rpo["measured_seconds"] is None:
            return Markup("what was lost was not measured")
        return Markup("the loss is at most {}, told from {}").format(
            fields.seconds(f"{path}.rpo.measured_seconds"), rpo["source"]
        )
    of = Markup(" of {}").format(fields.count(f"{path}.rpo.acknowledged")) if rpo["acknowledged"] is not None else ""
    lost = fields.count(f"{path}.rpo.lost")
    if not rpo["lost"]:
        return Markup("no acknowledged write was lost ({}{})").format(lost, of)
    return Markup("{}{} acknowledged writes were <strong>lost</strong>").format(lost, of)


def _objectives(fields: Fields, path: str, service: Entry) -> Markup:
    rto, found = service["rto"], []
    if all(service[part]["met"] is None and service[part]["objective_seconds"] is not None for part in ("rto", "rpo")):
        limits = [fields.seconds(f"{path}.{part}.objective_seconds") for part in ("rto", "rpo")]
        return Markup("so it is not known whether the RTO of {} and the RPO of {} were met").format(*limits)
    for part, label in (("rto", "RTO"), ("rpo", "RPO")):
        objective = fields.seconds(f"{path}.{part}.objective_seconds")
        if service[part]["objective_seconds"] is None:
            found.append(Markup("no {} is set").format(label))
        elif service[part]["met"] is None:
            found.append(Markup("whether the {} of {} was met is not known").format(label, objective))
        else:
            word = "met" if service[part]["met"] else "missed"
            found.append(Markup("the {} of {} was <strong>{}</strong>").format(label, objective, word))
    allowed = Markup("")
    people = (rto["detection_allowance_seconds"] or 0) + (rto["decision_allowance_seconds"] or 0)
    if people and rto["total_seconds"] is not None:
        total = fields.seconds(f"{path}.rto.total_seconds")
        allowed = Markup(" ({} with the time the plan allows people)").format(total)
    return Markup("{}{} and {}").format(found[0], allowed, found[1])


def _refused(service: Entry, verb: str, name: Markup) -> Markup:
    stage = next((each for each in service["stages"] if each["outcome"] == "refused"), service)
    told = [
        _brief(each["message"]) + Markup(" (<code>{}</code>)").format(visible(each["rule"]))
        for each in stage["refusals"]
    ]
    why = Markup("; ").join(told[:_MOST_REASONS]) + ("; and more" if len(told) > _MOST_REASONS else "")
    why = why or _brief(_first(service["reasons"]) or service["message"] or "no reason was recorded")
    form = _REFUSED.get(verb, Markup("The {verb} of {name}{way} was refused: {why}."))
    return form.format(verb=visible(verb), name=name, way=_way(stage), why=why)


def _failed(fields: Fields, path: str, service: Entry, verb: str, name: Markup) -> Markup:
    steps = [step for entry in (service["stages"] or [service]) for step in entry["steps"]]
    failed = [each for each in steps if each["state"] == "failed"]
    step = _first(each["step"] for each in failed)
    at = Markup(" at step <code>{}</code>").format(visible(step)) if step else ""
    # That it took too long as well is not why it failed
    why = _first(each for each in service["reasons"] if not _OVER_OBJECTIVE.search(each))
    why = why or service["message"] or _first(each["message"] for each in failed) or _first(service["reasons"])
    said = Markup("The {} of {}{} <strong>failed</strong>{}{}").format(
        visible(verb), name, _way(service), at, ": " + _brief(why) if why else ""
    )
    if text.away(service["rto"]) is None:
        return said + "."
    away, lost = _was_away(fields, path, service["rto"]), _lost(fields, path, service["rpo"])
    return Markup("{}; {}; {}.").format(said, away, lost)


def _brief(value: str) -> Markup:
    """A message that fits into a sentence; the service's section has all of it."""
    line = " ".join(visible(value).split()).rstrip(".")
    return escape(line if len(line) <= LONGEST else line[: LONGEST - 1] + "…")


def _longest(fields: Fields, services: list[Entry]) -> Markup:
    # one that may still go on is longer than one that ended after the same time
    known = [
        (seconds, each["rto"]["measured_seconds"] is None, -index)
        for index, each in enumerate(services)
        if (seconds := text.away(each["rto"])) is not None
    ]
    if not known:
        return Markup("")
    index = -max(known)[2]
    return Markup(" The longest outage was {} ({}).").format(
        _outage(fields, f"services.{index}"), quoted(services[index]["service"])
    )


def _losses(services: list[Entry]) -> Markup:
    moved = [each for each in services if text.moves(each)]
    counted = [each for each in moved if each["rpo"]["lost"] is not None]
    losers = [quoted(each["service"]) for each in services if each["rpo"]["lost"]]
    if losers:
        return Markup(" Acknowledged writes were lost by {}.").format(Markup(", ").join(losers))
    if not counted:
        return Markup("")
    return Markup(" No acknowledged write was lost{}.").format("" if counted == moved else " where writes were counted")


def _missed(services: list[Entry]) -> Markup:
    moves = [each for service in services for each in (service["stages"] or [service]) if text.moves(each)]
    parts = [each[part] for each in moves for part in ("rto", "rpo")]
    met = [part["met"] for part in parts if part["objective_seconds"] is not None]
    if False in met:
        return Markup(" Not every objective was met.")
    return Markup(" Every objective was met." if met and None not in met else "")


def _first(values: Iterable[str]) -> str:
    return next(iter(values), "")
