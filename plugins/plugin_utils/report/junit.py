# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""junit.xml: the report for a CI server. A suite a service, a case an objective; it fails where the run fails."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

from ansible_collections.continuity.dr.plugins.plugin_utils.report import text
from ansible_collections.continuity.dr.plugins.plugin_utils.report.stage import MOVING

#: what XML 1.0 cannot hold at all: a server would refuse the whole file because of one such character
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Case:
    """One test case. `state`: passed, failure or skipped; `kind` is the type of a failure."""

    name: str
    state: str = "passed"
    kind: str = ""
    message: str = ""
    seconds: float | None = None


def render(report: Mapping[str, Any]) -> str:
    """The report as JUnit XML."""
    suites = ET.Element("testsuites", name=f"continuity.dr {report['verb']}")
    everything: list[Case] = []
    for service in report["services"]:
        cases = [*cases_of(service), *_drilled(report, service["service"])]
        everything += cases
        name = f"continuity.dr.{report['verb']}.{service['service']}"
        attributes = {"name": _clean(name), **_totals(cases), "timestamp": _stamp(report)}
        suite = ET.SubElement(suites, "testsuite", attributes)
        properties = ET.SubElement(suite, "properties")
        for key, value in _properties(report, service).items():
            ET.SubElement(properties, "property", name=key, value=_clean(value))
        for case in cases:
            _element(suite, name, case)
    for key, value in _totals(everything).items():
        suites.set(key, value)
    ET.indent(suites)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(suites, encoding="unicode") + "\n"


def cases_of(service: Mapping[str, Any]) -> list[Case]:
    """The cases of one service: verdict, RTO, RPO, one writer, endpoint; then every refusal and every failed step."""
    cases = [_verdict(service)]
    for stage in service["stages"] or [service]:
        moves = stage["stage"] in MOVING
        prefix = f"{stage['stage']}: " if service["stages"] else ""
        if moves:
            cases += [_rto(stage, prefix), _rpo(stage, prefix), _one_writer(stage, prefix), _endpoint(stage, prefix)]
        for refusal in stage["refusals"]:
            message = f"{refusal['message']} (measured: {refusal['measured']}; limit: {refusal['limit']})"
            hint = f". Next: {refusal['hint']}" if refusal["hint"] else ""
            cases.append(_bad(stage, f"{prefix}rule {refusal['rule']}", "refused", message + hint))
        for step in stage["steps"]:
            if step["state"] == "failed":
                message = step["message"] or "the step failed"
                cases.append(_bad(stage, f"{prefix}step {step['step']}", "failed", message, step["seconds"]))
    return cases


def _drilled(report: Mapping[str, Any], service: str) -> list[Case]:
    """A case for each copy that a drill restored, and one for each negative control."""
    cases = [
        Case(f"restore of copy {each['copy']}", message=str(each.get("label") or ""), seconds=each.get("seconds"))
        for each in report["restores"]
        if each["service"] == service
    ]
    for each in report["controls"]:
        if each["service"] == service:
            name, wrong = f"control {each['name']} of copy {each['copy']}", each["seen"] != each["expected"]
            said = f"ended with {each['seen']}, expected {each['expected']}"
            cases.append(Case(name, "failure", "control_not_met", said) if wrong else Case(name, message=said))
    return cases


def _verdict(service: Mapping[str, Any]) -> Case:
    said = "; ".join(each for each in [*service["reasons"], text.said(service)] if each)
    message = f"{text.VERDICT_TEXT[service['verdict']]}{': ' if said else ''}{said}"
    if service["fails"]:
        following = f"\nNext: {service['next_command']}" if service["next_command"] else ""
        return Case("verdict", "failure", service["verdict"], message + following)
    return Case("verdict", "skipped" if service["verdict"] == "not_measured" else "passed", message=message)


def _bad(stage: Mapping[str, Any], name: str, kind: str, message: str, seconds: float | None = None) -> Case:
    """A failure where the run fails because of this stage, else a note: a retried step of a good run is no failure."""
    return Case(name, "failure" if stage["fails"] else "skipped", kind, message, seconds)


def _rto(stage: Mapping[str, Any], prefix: str) -> Case:
    rto = stage["rto"]
    message = f"outage {text.outage(stage)}, RTO {text.duration(rto['objective_seconds'], 'none')}"
    return _objective(stage, f"{prefix}RTO", rto, f"{message} ({rto['source']})", rto["measured_seconds"])


def _rpo(stage: Mapping[str, Any], prefix: str) -> Case:
    rpo = stage["rpo"]
    message = f"loss {text.loss(stage)}, RPO {text.duration(rpo['objective_seconds'], 'none')}"
    return _objective(stage, f"{prefix}RPO", rpo, f"{message} ({rpo['source']})")


def _objective(
    stage: Mapping[str, Any], name: str, part: Mapping[str, Any], message: str, seconds: float | None = None
) -> Case:
    if stage["outcome"] == "nothing_to_do":
        return Case(name, "skipped", message="nothing to do")
    if part["met"] is False:
        return _bad(stage, name, "objective_missed", message, seconds)
    return Case(name, "skipped" if part["met"] is None else "passed", message=message, seconds=seconds)


def _one_writer(stage: Mapping[str, Any], prefix: str) -> Case:
    name, count = f"{prefix}one writer", stage["acknowledged_elsewhere"]
    if count:
        return _bad(stage, name, "failed", f"{count} writes acknowledged by a member that was fenced or replaced")
    waived = [each["rule"] for each in stage["waivers"] if "unfenced" in each["rule"]]
    if waived:
        return Case(name, "skipped", message=f"waived by the operator: {', '.join(waived)}")
    if count == 0 or any(step["step"] in ("fence", "demote") and step["state"] == "done" for step in stage["steps"]):
        return Case(name)
    return Case(name, "skipped", message="not measured")


def _endpoint(stage: Mapping[str, Any], prefix: str) -> Case:
    name = f"{prefix}endpoint"
    last = [step for step in stage["steps"] if step["step"] == "point"][-1:]
    if last and last[0]["state"] == "failed":
        return _bad(stage, name, "failed", last[0]["message"] or "the endpoint was not switched", last[0]["seconds"])
    named = [each for each in stage["degradations"] if each["name"].startswith("endpoint")]
    if named:
        return _bad(stage, name, "degraded", "; ".join(f"{each['name']} {each['message']}".strip() for each in named))
    if last and last[0]["state"] == "done":
        return Case(name, seconds=last[0]["seconds"])
    return Case(name, "skipped", message="not switched in this run")


def _element(suite: ET.Element, classname: str, case: Case) -> None:
    element = ET.SubElement(suite, "testcase", name=_clean(case.name), classname=_clean(classname))
    element.set("time", f"{case.seconds or 0:.3f}")
    if case.state == "failure":
        child = ET.SubElement(element, "failure", message=_clean(case.message.split("\n")[0]), type=case.kind)
        child.text = _clean(case.message)
    elif case.state == "skipped":
        ET.SubElement(element, "skipped", message=_clean(case.message))
    elif case.message:
        ET.SubElement(element, "system-out").text = _clean(case.message)


def _totals(cases: list[Case]) -> dict[str, str]:
    states = [case.state for case in cases]
    return {
        "tests": str(len(cases)),
        "failures": str(states.count("failure")),
        "errors": "0",
        "skipped": str(states.count("skipped")),
        "time": f"{sum(case.seconds or 0 for case in cases):.3f}",
    }


def _properties(report: Mapping[str, Any], service: Mapping[str, Any]) -> dict[str, str]:
    values = {
        "run_id": report["run_id"],
        "verdict": service["verdict"],
        "plan": report["plan"]["id"],
        "plan_digest": report["plan"]["digest"],
        "function": service["function"],
        "way": text.way(service),
        "next_command": service["next_command"],
    }
    return {key: str(value) for key, value in values.items() if value}


def _stamp(report: Mapping[str, Any]) -> str:
    """JUnit's timestamp: ISO 8601 to the second, UTC, without a zone."""
    return str(report["started"] or "1970-01-01T00:00:00")[:19]


def _clean(value: str) -> str:
    return _NOT_XML.sub("\ufffd", value)
