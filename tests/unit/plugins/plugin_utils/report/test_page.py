# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""report.html: every number on it is report.json's, and nothing on it reaches out or runs."""

from __future__ import annotations

import copy
import json
import re

import pytest
from html_page import Page, squeezed

from ansible_collections.continuity.dr.plugins.plugin_utils.core.verdict import VERDICTS
from ansible_collections.continuity.dr.plugins.plugin_utils.report.page import document, drawings, sentence
from ansible_collections.continuity.dr.plugins.plugin_utils.report.page.fields import Fields, short

HOSTILE = "</title><script>alert(1)</script>$\\frac{1}{2}$ \u202eevil مرحبا 日本語 \x07\u2028 {{ 7 * 7 }} " + "x" * 300


def shown(value, text):
    """Whether this text is how the page writes this value."""
    if value is None:
        return not re.search(r"\d", text)
    if isinstance(value, str):
        return text in (f"{value[:10]} {value[11:19]} UTC", value[11:23])
    return text in (short(value), f"{value:,}".replace(",", "\u202f"))


def set_at(report, path, value):
    changed = copy.deepcopy(report)
    *parents, last = path.split(".")
    place = changed
    for name in parents:
        place = place[int(name) if isinstance(place, list) else name]
    place[int(last) if isinstance(place, list) else last] = value
    return changed


def strings(value):
    if isinstance(value, dict):
        return [text for each in value.values() for text in strings(each)]
    if isinstance(value, list):
        return [text for each in value for text in strings(each)]
    return [str(value)]


def hostile(value):
    """Every free text of a report, turned into something that would like to break out."""
    if isinstance(value, dict):
        kept = {
            "verdict",
            "state",
            "stage",
            "outcome",
            "trigger",
            "began",
            "started",
            "finished",
            "ended",
            "source",
            "ledger",
        }
        return {key: each if key in kept else hostile(each) for key, each in value.items()}
    if isinstance(value, list):
        return [hostile(each) for each in value]
    return HOSTILE if isinstance(value, str) else value


@pytest.mark.parametrize("verdict", VERDICTS)
def test_every_number_on_the_page_is_the_reports(runs, verdict):
    report = json.loads(json.dumps(runs[verdict]))
    page, fields = Page(document.render(report)), Fields(report)
    assert len(page.fields) >= 8
    for path, attributes, text in page.fields:
        value = fields.value(path)
        assert shown(value, text), (path, value, text)
        assert attributes.get("value", str(value)) == str(value)
        assert attributes.get("datetime", value) == value
    known = " ".join(strings(report))
    assert [number for number in re.findall(r"\d[\d.]*", page.loose) if number.rstrip(".") not in known] == []


@pytest.mark.parametrize("verdict", VERDICTS)
def test_the_page_names_the_numbers_that_matter(runs, verdict):
    report = runs[verdict]
    named = {path for path, _attributes, _text in Page(document.render(report)).fields}
    assert {"started", "finished", "duration_seconds", "journal.0.entries"} <= named
    for path in ("services.0.rto.objective_seconds", "services.0.rpo.objective_seconds"):
        if verdict in ("passed", "objective_missed", "degraded", "not_measured", "failed"):
            assert path in named
    if verdict == "passed":
        stage = "services.0.stages.1"
        assert {f"{stage}.rto.{key}_seconds" for key in ("measured", "total", "objective")} <= named
        assert {f"{stage}.rto.{key}_allowance_seconds" for key in ("detection", "decision")} <= named
        assert {f"{stage}.rpo.{key}" for key in ("measured_seconds", "lost", "acknowledged", "in_doubt")} <= named
        assert {f"{stage}.rto.phases.{name}" for name in report["services"][0]["rto"]["phases"]} <= named
        steps = range(len(report["services"][0]["stages"][1]["steps"]))
        assert {f"{stage}.steps.{n}.{key}" for n in steps for key in ("began", "seconds")} <= named


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("services.0.rto.measured_seconds", 3.25),
        ("services.0.rto.total_seconds", 363.25),
        ("services.0.rto.objective_seconds", 1800.0),
        ("services.0.rpo.lost", 7),
        ("services.0.rpo.acknowledged", 1201),
        ("services.0.stages.1.rto.phases.fence", 0.9),
        ("services.0.stages.1.rto.decision_allowance_seconds", 240.0),
        ("services.0.stages.1.rpo.in_doubt", 5),
        ("services.0.stages.4.rto.measured_seconds", 0.75),
        ("services.0.stages.1.steps.2.seconds", 9.5),
        ("services.0.client.refused.12", 9),
        ("services.0.verdict", "degraded"),
        ("duration_seconds", 99.0),
        ("journal.0.entries", 3),
    ],
)
def test_a_changed_field_changes_the_page(runs, path, value):
    report = runs["passed"]
    assert Fields(report).value(path) != value
    assert document.render(set_at(report, path, value)) != document.render(report)


def test_two_runs_give_two_pages_and_one_run_one_page(runs):
    pages = {document.render(report) for report in runs.values()}
    assert len(pages) == len(runs)
    again = {document.render(json.loads(json.dumps(report))) for report in runs.values()}
    assert again == pages


@pytest.mark.parametrize(
    ("verdict", "text"),
    [
        (
            "passed",
            "payments-db was moved from dc1 to dc2 after the drill's fault (primary crashed on db1); clients were"
            " without it for 2.41s; no acknowledged write was lost (0 of 1\u202f200); the RTO of 1h was met (6m 2s"
            " with the time the plan allows people) and the RPO of 0s was met.",
        ),
        ("refused", "The failover of payments-db from dc1 to dc2 was refused: db2 is behind (lag_over_rpo)."),
        ("failed", "The switchover of payments-db from dc1 to dc2 failed at step point: x."),
        (
            "objective_missed",
            "3 of 1\u202f200 acknowledged writes were lost; the RTO of 2s was missed and the RPO of 0s was missed.",
        ),
        ("degraded", "left undone: endpoint_stale."),
        (
            "not_measured",
            "payments-db was moved from dc1 to dc2; how long clients were without it was not measured; what was lost"
            " was not measured; so it is not known whether the RTO of 1h and the RPO of 0s were met.",
        ),
        ("nothing_to_do", "Nothing had to be done for payments-db: its primary was already where it should be in dc2."),
    ],
)
def test_the_verdict_comes_first_as_a_sentence(runs, verdict, text):
    page = Page(document.render(runs[verdict]))
    head = squeezed(page.text.replace("Skip to the content", "")).split(" Run ")[0].replace("\u202f", "~")
    assert text.replace("\u202f", "~") in head
    assert head.startswith(f"{document.MARKS[verdict]} {verdict.replace('_', ' ').capitalize()}")


@pytest.mark.parametrize(
    ("rto", "rpo", "told"),
    [
        (
            True,
            False,
            "the RTO of 1h was met (6m 2s with the time the plan allows people) and the RPO of 0s was missed.",
        ),
        (
            False,
            True,
            "the RTO of 1h was missed (6m 2s with the time the plan allows people) and the RPO of 0s was met.",
        ),
        (
            None,
            False,
            "whether the RTO of 1h was met is not known (6m 2s with the time the plan allows people) and the",
        ),
        (True, None, "the time the plan allows people) and whether the RPO of 0s was met is not known."),
    ],
)
def test_each_objective_has_its_own_word(runs, rto, rpo, told):
    report = set_at(set_at(runs["passed"], "services.0.rto.met", rto), "services.0.rpo.met", rpo)
    assert told in squeezed(Page(str(sentence.service_sentence(Fields(report), 0))).text)


def several(runs, *names):
    """A run of several services, all moved without a loss and within their objectives."""
    report = copy.deepcopy(runs["degraded"])
    (service,) = report["services"]
    report["services"] = [{**copy.deepcopy(service), "service": name} for name in names]
    return report


def whole(report):
    return squeezed(Page(str(sentence.run_sentence(Fields(report)))).text)


@pytest.mark.parametrize("part", ["rto", "rpo"])
@pytest.mark.parametrize(
    ("met", "told"),
    [
        (True, "Every objective was met."),
        (None, ""),
        (False, "Not every objective was met."),
    ],
)
def test_every_objective_is_met_only_where_each_is_known_to_be(runs, part, met, told):
    report = set_at(several(runs, "a", "b", "c"), f"services.1.{part}.met", met)
    found = whole(report)
    assert [text for text in ("Every objective was met.", "Not every objective was met.") if text in found] == (
        [told] if told else []
    )


def test_services_that_lost_writes_are_named_and_no_other(runs):
    report = several(runs, "a", "b", "c", "d")
    assert "No acknowledged write was lost. " in whole(report) and "were lost by" not in whole(report)
    report["services"][1]["rpo"]["lost"], report["services"][2]["rpo"]["lost"] = 3, None
    assert "Acknowledged writes were lost by b." in whole(report)
    report["services"][3]["rpo"]["lost"] = 1
    assert "Acknowledged writes were lost by b, d." in whole(report)
    assert "No acknowledged write" not in whole(report)


def test_losses_that_nobody_counted_are_not_said_to_be_none(runs):
    report = set_at(several(runs, "a", "b"), "services.1.rpo.lost", None)
    assert "No acknowledged write was lost where writes were counted." in whole(report)
    assert "acknowledged" not in whole(set_at(report, "services.0.rpo.lost", None)).lower()


@pytest.mark.parametrize(
    ("at_least", "told"),
    [
        (60.0, "The longest outage was at least 1m (dead-db)."),
        (2.41, "The longest outage was at least 2.41s (dead-db)."),  # it may still go on
        (1.0, "The longest outage was 2.41s (ok-0)."),
        (None, "The longest outage was 2.41s (ok-0)."),
    ],
)
def test_the_longest_outage_may_be_one_whose_end_was_not_seen(runs, at_least, told):
    report = several(runs, "ok-0", "dead-db", "ok-1")
    report["services"][1]["rto"].update(measured_seconds=None, at_least_seconds=at_least)
    assert told in whole(report)


@pytest.mark.parametrize(("outcome", "start"), [("failed", "The failover of"), ("done", "payments-db was moved")])
def test_an_outage_whose_end_was_not_seen_is_told_as_far_as_it_is_known(moved, report_of, outcome, start):
    page = Page(document.render(report_of(moved(rto=30.0).canary(outage=None).outcome(2.2, outcome, message="x"))))
    lead = squeezed(page.text).split(" Run ")[0]
    assert start in lead and "; clients were without it for at least 1m; no acknowledged write was lost (0 of" in lead
    assert "how long clients" not in lead
    assert ("services.0.rto.at_least_seconds", "1m") in [(path, text) for path, _attributes, text in page.fields]


def test_runs_that_move_nothing_have_a_sentence_of_their_own(make, report_of):
    def told(run):
        return squeezed(Page(document.render(report_of(run))).text)

    steps = {"steps": ("rejoin",), "from_site": None}
    assess = make("assess", name="a").decide(0.1)
    rejoin = make("rejoin", name="r").decide(0.1, **steps).outcome(0.5)
    finished = make("switchover", name="f").decide(0.1, **steps).outcome(0.5)
    checked = make("switchover", name="c").decide(0.1, check_mode=True)
    checked.run["check_mode"] = True
    assert "payments-db can be moved from dc1 to dc2 now." in told(assess)
    assert "payments-db has its redundancy back; its primary stays where it is." in told(rejoin)
    assert "The switchover of payments-db to dc2 is done; its primary was there already and did not" in told(finished)
    assert "payments-db would be moved from dc1 to dc2." in told(checked)


def test_a_long_message_is_cut_in_the_sentence_and_whole_below(make, report_of):
    message = "it said: " + "a word and " * 60 + "the end"
    run = make("switchover").decide(0.5).entry(0.8, "point", "failed").outcome(1.9, "failed", message=message)
    text = squeezed(Page(document.render(report_of(run))).text)
    assert "…. " in text and text.count("the end") == 1


def test_a_refusal_has_its_rule_measure_limit_and_next_step(runs):
    text = squeezed(Page(document.render(runs["refused"])).text)
    assert "lag_over_rpo db2 is behind 12 s 5 s wait" in text
    assert "Do the next step of each rule below" in text and "Nothing is left to do" not in text


def test_waivers_degradations_redundancy_and_the_next_command(moved, report_of):
    waiver = {
        "rule": "old_primary_unfenced",
        "measured": "no proof",
        "limit": "proof",
        "message": "m",
        "hint": "fence it",
    }
    run = (
        moved()
        .canary()
        .decide(1.4, waivers=[waiver])
        .outcome(2.2, degraded=["endpoint_stale"], redundancy="db1 is gone")
    )
    text = squeezed(Page(document.render(report_of(run, inventory=["lab.yml"]))).text)
    assert "old_primary_unfenced m no proof proof fence it" in text
    assert "Could have been done and was not: endpoint_stale." in text and "Redundancy: db1 is gone." in text
    assert "ansible-playbook continuity.dr.rejoin -i lab.yml -e scope=payments-db" in text


def test_allowances_are_never_shown_as_measured(runs):
    page = Page(document.render(runs["passed"]))
    texts = dict((path, text) for path, _attributes, text in page.fields)
    assert texts["services.0.stages.1.rto.measured_seconds"] == "2.41s"
    assert texts["services.0.stages.1.rto.detection_allowance_seconds"] == "1m"
    assert texts["services.0.stages.1.rto.total_seconds"] == "6m 2s"
    assert "allowed for detection, not measured" in squeezed(page.text)


@pytest.mark.parametrize("verdict", VERDICTS)
def test_the_page_reaches_nothing_and_runs_nothing(runs, verdict):
    html = document.render(runs[verdict])
    page = Page(html)
    assert not {"script", "link", "iframe", "object", "img", "base"} & {tag for tag, _attributes in page.elements}
    assert not re.search(r"https?:|//[a-z]|@import|javascript:", html)
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", html))
    attributes = [item for _tag, each in page.elements for item in each.items()]
    assert not [name for name, _value in attributes if name == "src" or name.startswith("on")]
    links = {value for name, value in attributes if name == "href" and not value.startswith("#")}
    assert links == {"report.json", "report.md", "junit.xml", "journal/payments-db.jsonl"}
    assert "default-src 'none'" in html


@pytest.mark.parametrize("verdict", ["passed", "refused", "failed"])
def test_hostile_names_and_messages_are_inert(runs, verdict):
    report = hostile(runs[verdict])
    html = document.render(report)
    page = Page(html)
    assert page.broken == [] and not page.all("script")
    assert "\u202e" not in html and "\x07" not in html and "\\u202e" in html
    assert "49" not in page.text and "{{ 7 * 7 }}" in page.text and "$\\frac{1}{2}$" in page.text
    assert drawings.draw(report).missing == ""
    assert all(value.startswith(("#", "report.", "junit.", "journal/")) for value in (a["href"] for a in page.all("a")))


@pytest.mark.parametrize("verdict", VERDICTS)
def test_the_page_is_whole_and_can_be_walked_without_eyes(runs, verdict):
    html = document.render(runs[verdict])
    page = Page(html)
    assert page.broken == []
    ids = [each["id"] for _tag, each in page.elements if each.get("id")]
    assert len(ids) == len(set(ids))
    assert {name for each in page.elements for name in (each[1].get("aria-labelledby") or "").split()} <= set(ids)
    assert {each["href"][1:] for each in page.all("a") if each["href"].startswith("#")} <= set(ids)
    levels = [int(tag[1]) for tag, _attributes in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1 and all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False))
    assert len(page.all("caption")) == len(page.all("table"))
    assert all(each.get("scope") for each in page.all("th"))
    assert all(each.get("role") == "img" for each in page.all("svg"))
    assert len(page.all("desc")) == len(page.all("svg")) and html.startswith('<!DOCTYPE html>\n<html lang="en">')


def test_colours_are_variables_of_light_and_of_dark(runs):
    html = document.render(runs["passed"])
    css, body = html.split("</style>")
    light, dark = (
        dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", part)) for part in css.split("prefers-color-scheme: dark")[:2]
    )
    used = set(re.findall(r"var\(--([a-z-]+)\)", body))
    assert len(used) > 8 and used <= set(light) and set(light) <= set(dark)
    assert re.findall(r"#[0-9a-f]{6}\b", re.sub(r'(id|href)="[^"]*"|<code.*?</code>', "", body)) == []


def test_a_printed_page_is_light_whole_and_has_everything_folded_open(runs):
    css = document.render(runs["passed"]).split("</style>")[0]
    light, printed = css.split("@media print")
    assert re.search(r"--page: #f[0-9a-f]{5}", light)
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", printed))
    themed = set(re.findall(r"--([a-z-]+): #", light.split("prefers-color-scheme: dark")[1]))
    phases = {"detect", "decide", "fence", "promote", "redirect", "verify", "client"}
    assert colours["page"] == colours["panel"] == "#ffffff" and themed - phases <= set(colours)
    for rule in ("break-inside: avoid", "print-color-adjust: exact", "details::details-content { content-visibility"):
        assert rule in printed


def many(runs):
    report = copy.deepcopy(runs["passed"])
    (service,) = report["services"]
    report["services"] = [{**copy.deepcopy(service), "service": f"service-{number:02d}"} for number in range(50)]
    report["services"][40].update(verdict="failed", fails=True, reasons=["db2 did not leave recovery"])
    report["services"][41]["rto"]["measured_seconds"] = 77.5
    report["journal"] = [{**report["journal"][0], "service": each["service"]} for each in report["services"]]
    return report


def test_fifty_services_are_readable(runs):
    page = Page(document.render(many(runs)))
    text = squeezed(page.text)
    assert "50 services: 49 passed, 1 failed. The longest outage was 1m 18s (service-41)." in text
    table = text.split("RPO Verdict ")[1]
    assert table.startswith("service-40") and all(f"service-{number:02d}" in table for number in range(50))
    assert page.broken == [] and len(page.all("svg")) <= 2 + 3 * drawings.MOST_SERVICES
    assert 40 in drawings.detailed(many(runs))
    assert "drawn one by one" in text


def ended(runs, *verdicts):
    """A run whose services ended in these ways, in this order, each with a command of its own."""
    report = several(runs, *(f"db-{number}" for number in range(len(verdicts))))
    for service, verdict in zip(report["services"], verdicts, strict=True):
        service.update(verdict=verdict, next_command=f"after-{verdict} {service['service']}")
    return report


def test_a_failed_service_is_not_hidden_behind_refused_ones(runs):
    report = ended(runs, *["passed"] * 4, *["refused"] * 9, "failed")
    head = document.render(report).split('<ul class="attention">')[1].split("</ul>")[0]
    first, *others = [squeezed(Page(item).text) for item in head.split("<li>")[1:]]
    assert "The failover of db-13 from dc1 to dc2 failed" in first and document.MARKS["failed"] in first
    assert [re.search(r"db-\d+", each)[0] for each in others[:-1]] == [f"db-{number}" for number in range(4, 11)]
    assert others[-1] == "and more: the table below has all of them."


def test_the_worst_of_few_services_is_told_first_and_the_table_keeps_their_order(runs):
    page = document.render(ended(runs, "passed", "failed"))
    head = page.split('<ul class="attention">')[1].split("</ul>")[0]
    assert re.findall(r"db-\d", squeezed(Page(head).text))[:1] == ["db-1"]
    assert re.findall(r"db-\d", squeezed(Page(page).text).split("RPO Verdict ")[1])[:1] == ["db-0"]


def test_a_reason_that_the_sentence_above_it_tells_stands_there_once(runs):
    report = ended(runs, "failed", "passed")
    report["services"][0].update(reasons=["the run was cut off", "another reason"], message="")
    section = document.render(report).split('id="services.0"')[1].split("</section>")[0]
    told = squeezed(Page(section).text)
    assert told.count("the run was cut off") == 1
    assert "another reason" in told


def test_without_a_client_the_drawing_is_of_steps_alone(runs):
    (service,) = runs["failed"]["services"]
    assert service["client"] is None
    told = squeezed(Page(document.render(runs["failed"])).text)
    assert "What was done" in told and "When each step ran." in told
    assert "What clients saw" not in told and "for the client" not in told
    assert "What clients saw, and what was done" in squeezed(Page(document.render(runs["passed"])).text)


@pytest.mark.parametrize("passed", [3, 9])
def test_the_command_of_a_failed_service_comes_first(runs, passed):
    report = ended(runs, *["passed"] * passed, "failed")
    head = Page(document.render(report).split("<h2>Run next</h2>")[1].split("<dl")[0])
    wanted = [f"after-failed db-{passed}", "after-passed db-0", "after-passed db-1"]
    assert re.findall(r"after-\w+ db-\d+", head.text) == wanted
    assert "The other services have their commands below." in head.text


def test_check_mode_a_changed_journal_and_no_service_are_said(runs):
    report = runs["passed"]
    report["check_mode"] = True
    report["journal"][0]["problems"] = [{"kind": "edited", "line": 3, "message": "line 3 was edited"}]
    text = squeezed(Page(document.render(report)).text)
    assert "nothing was changed" in text and "not whole: line 3 was edited" in text
    report.update(services=[], journal=[])
    assert "No service took part in this run." in document.render(report)
