# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a decision is given: the plan's part, what members and endpoints said, and the last sight of a primary."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from unittest import mock

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils import journal, run, spine
from ansible_collections.continuity.dr.plugins.plugin_utils.address import own_address
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import LastSeen, Observation, Problem
from ansible_collections.continuity.dr.plugins.plugin_utils.core.view import View

SECRET = "hidden-41"
NAME = "payments-db.shop.example."
SERVICE = {
    "name": "payments-db",
    "function": "payments",
    "tier": 1,
    "wave": 1,
    "depends_on": ["accounts-db"],
    "objectives": {"rto_seconds": 900.0, "rpo_seconds": 0.0, "mtpd_seconds": None},
    "engine": {"role": "continuity.dr.engine_postgresql", "replication": {"password": SECRET}},
    "members": [
        {"host": "db1", "site": "dc1", "address": "198.51.100.11", "password": SECRET},
        {"host": "db2", "site": "dc2", "address": "203.0.113.11"},
    ],
    "endpoints": [{"name": NAME, "key": {"name": "continuity", "secret": SECRET}}],
    "fences": [{"role": "continuity.dr.fence_systemd", "name": "fence_systemd", "token": SECRET}],
    "canary": {"role": "canary", "password": SECRET},
}
PLAN = {
    "id": "lab",
    "title": "The lab",
    "environment": "drill",
    "digest": "sha256:1",
    "owner": "team",
    "key": SECRET,
    "sites": {"dc2": {"use": "recovery"}, "dc1": {"use": "preferred"}},
    "allowances": {"detection_seconds": 60.0, "decision_seconds": 300.0},
}
INPUTS = {
    "scope": "payments",
    "target_site": "dc2",
    "source_site": None,
    "reason": "because",
    "outage_started": 5.0,
    "accept_data_loss_seconds": 30.0,
    "waive": ("lag_unknown",),
}
PRIMARY = Observation(
    "db1",
    "dc1",
    address="198.51.100.11",
    reachable=True,
    running=True,
    role="primary",
    position=4096,
    timeline=3,
    system_id="7301",
    followers={"db2": "sync"},
    problems=(Problem("a", "b", "c", "d", ("switchover",)),),
)


@pytest.fixture
def begun(tmp_path):
    run.forget()
    yield run.begin(
        verb="failover",
        inputs=INPUTS,
        plan=PLAN,
        services={"payments-db": SERVICE},
        runs_directory=str(tmp_path / "runs"),
        allow_degraded=["endpoint_stale"],
        inventory=["lab.yml"],
    )
    run.forget()


def hostvars(**members):
    """What Ansible knows of db1 and db2; a member that is not named has no facts at all."""
    return {
        host: {"ansible_facts": {"continuity_observed": members[host]}} if host in members else {}
        for host in ("payments-db", "db1", "db2")
    }


def as_fact(seen: Observation) -> dict:
    """An observation after it went through Ansible's facts: plain JSON types."""
    return json.loads(json.dumps(dataclasses.asdict(seen)))


def view(begun, endpoints=None, **members) -> View:
    return spine.view_of(begun, "payments-db", hostvars(**members), endpoints or {})


def test_what_a_member_said_is_read_back_as_it_was(begun):
    seen = view(begun, db1={"payments-db": as_fact(PRIMARY), "other": {}})
    assert seen.observed["db1"] == PRIMARY
    assert seen.service.sites == {"db1": "dc1", "db2": "dc2"} and seen.service.preferred_site == "dc1"
    assert (seen.service.rpo_seconds, seen.service.has_fence, seen.service.endpoints) == (0.0, True, (NAME,))


def test_when_the_record_last_moved_is_told_by_the_claim_that_was_closed_with_it(begun):
    def moved(**claim):
        answer = {"reachable": True, "claim": {"epoch": 7, "run_id": "run-a", "until": "2026-11-22T03:15:00Z", **claim}}
        return view(begun, {NAME: answer}).endpoints[0].moved

    assert moved(state="switched") == {"time": 1795317300.0, "run_id": "run-a"}
    assert moved(state="switched", until="soon") == {"time": None, "run_id": "run-a"}
    assert moved(state="claimed") is None and moved(state="released") is None


def test_the_plans_hold_off_and_the_typed_run_reach_the_decision(begun):
    assert view(begun).service.hold_off_seconds == 0.0
    held = dataclasses.replace(
        begun, services={"payments-db": {**SERVICE, "hold_off_seconds": 90.0}}, inputs={**INPUTS, "break_lease": "gone"}
    )
    assert view(held).service.hold_off_seconds == 90.0
    assert spine.request_of(held, "payments-db", "failover", 9.0).break_lease == "gone"
    assert spine.request_of(held, "payments-db", "failover", 9.0).drill is False
    assert spine.request_of(dataclasses.replace(held, verb="drill"), "payments-db", "failover", 9.0).drill is True


def test_what_another_run_was_told_is_no_observation(begun):
    """A fact cache keeps it: the member has not been seen since."""
    now = dataclasses.replace(PRIMARY, asked=begun.started)
    assert view(begun, db1={"payments-db": as_fact(now)}).observed["db1"].is_primary
    before = dataclasses.replace(PRIMARY, asked=begun.started - 1)
    silent = Observation("db1", "dc1", address="198.51.100.11")
    assert view(begun, db1={"payments-db": as_fact(before)}).observed["db1"] == silent


@pytest.mark.parametrize("facts", [{}, {"db1": {}}, {"db1": None}, {"db1": {"other": {"member": "db1"}}}])
def test_a_member_that_gave_no_facts_was_not_reached(begun, facts):
    seen = view(begun, **facts)
    assert seen.observed["db1"] == Observation("db1", "dc1", address="198.51.100.11")
    assert seen.observed["db1"].reachable is False and seen.observed["db2"].site == "dc2"


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (None, "not asked"),
        ({}, "not asked"),
        ({"reachable": False}, "not asked"),
        ({"reachable": False, "reason": "tsig_badkey", "value": ["1"]}, "tsig_badkey"),
    ],
)
def test_an_endpoint_that_was_not_read_is_unreachable_and_says_why(begun, answer, problem):
    (endpoint,) = view(begun, {NAME: answer} if answer is not None else {}).endpoints
    assert (endpoint.name, endpoint.reachable, endpoint.values, endpoint.problem) == (NAME, False, (), problem)


def test_a_server_that_does_not_hold_the_zone_is_a_problem_of_the_plan_and_not_an_arbiter_that_is_away(begun):
    said = {"reason": "not_authoritative", "message": "ns0 does not hold shop.example."}
    (endpoint,) = view(begun, {NAME: {"reachable": False, "reason": said["reason"], "problems": [said]}}).endpoints
    assert (endpoint.reachable, endpoint.problem, endpoint.values) == (True, said["message"], ())


def test_an_endpoint_says_where_clients_are_sent_and_who_holds_the_claim(begun):
    claim = {"state": "claimed", "epoch": 7, "run_id": "run-b", "owner": "bob@ops", "seconds_left": 12.5}
    problems = [{"message": "two values"}, {"message": "no guard"}]
    (endpoint,) = view(
        begun, {NAME: {"reachable": True, "value": ["198.51.100.11"], "claim": claim, "problems": problems}}
    ).endpoints
    assert (endpoint.reachable, endpoint.values, endpoint.epoch) == (True, ("198.51.100.11",), 7)
    assert (endpoint.claim_run, endpoint.claim_owner, endpoint.claim_seconds_left) == ("run-b", "bob@ops", 12.5)
    assert endpoint.problem == "two values; no guard"


@pytest.mark.parametrize("claim", [None, {}, {"state": "switched", "epoch": 7, "run_id": "run-b", "owner": "bob"}])
def test_a_claim_that_is_not_open_is_nobodys(begun, claim):
    (endpoint,) = view(begun, {NAME: {"reachable": True, "claim": claim}}).endpoints
    assert (endpoint.claim_run, endpoint.claim_owner) == (None, None)
    assert endpoint.epoch == (claim or {}).get("epoch", 0)


def kept(begun) -> Path:
    return Path(begun.directory).parent / "last_seen" / "payments-db.json"


def test_the_sight_of_a_primary_is_kept_for_the_run_that_finds_it_dead(begun):
    seen = dataclasses.replace(PRIMARY, asked=1000.0)
    spine.remember(begun, "payments-db", seen)
    assert spine.last_seen(begun, "payments-db") == LastSeen(1000.0, "db1", 4096, {"db2": "sync"}, 3, "7301")
    assert view(begun).last_seen == LastSeen(1000.0, "db1", 4096, {"db2": "sync"}, 3, "7301")


def test_without_exactly_one_primary_the_last_sight_stays(begun):
    spine.remember(begun, "payments-db", PRIMARY)
    before = kept(begun).read_text()
    spine.remember(begun, "payments-db", view(begun).primary)
    second = dataclasses.replace(PRIMARY, member="db2", site="dc2")
    two = view(begun, db1={"payments-db": as_fact(PRIMARY)}, db2={"payments-db": as_fact(second)})
    spine.remember(begun, "payments-db", two.primary)
    spine.remember(begun, "payments-db", dataclasses.replace(PRIMARY, role="replica"))
    assert kept(begun).read_text() == before


def test_a_sight_counts_from_when_the_member_was_asked_never_from_later(begun, monkeypatch):
    """What was committed after the look may be lost: a time that is later than the look would count too little."""
    monkeypatch.setattr(spine.time, "time", lambda: begun.started + 60)
    spine.remember(begun, "payments-db", PRIMARY)
    assert spine.last_seen(begun, "payments-db").time == begun.started
    spine.remember(begun, "payments-db", dataclasses.replace(PRIMARY, asked=begun.started + 60))
    assert spine.last_seen(begun, "payments-db").time == begun.started + 60
    spine.remember(begun, "payments-db", dataclasses.replace(PRIMARY, asked=begun.started + 30, followers={}))
    assert spine.last_seen(begun, "payments-db").followers == {"db2": "sync"}, "an older look does not replace a newer"


def test_a_sight_from_the_future_gives_way_to_a_true_one(begun, monkeypatch):
    """The controller's clock was an hour ahead once; what it saw then must not outlive what is so now."""
    ahead = dataclasses.replace(PRIMARY, asked=begun.started + 3600)
    spine.remember(begun, "payments-db", ahead)
    monkeypatch.setattr(spine.time, "time", lambda: begun.started + 1)
    now = dataclasses.replace(PRIMARY, asked=begun.started, followers={"db2": "async"})
    spine.remember(begun, "payments-db", now)
    kept_now = spine.last_seen(begun, "payments-db")
    assert (kept_now.time, kept_now.followers) == (begun.started, {"db2": "async"})


@pytest.mark.parametrize(
    ("asked", "clock", "ahead"),
    [(1000.0, 1150.5, 150.5), (1000.0, 1000.5, 0.5), (1000.0, 850.0, -150.0), (1000.0, None, None), (None, 5e9, None)],
)
def test_by_how_much_the_primarys_clock_was_ahead_is_kept_with_its_sight(begun, asked, clock, ahead):
    """From when it was asked: it looked at its clock after that, so it was ahead by no more."""
    spine.remember(begun, "payments-db", dataclasses.replace(PRIMARY, asked=asked, clock=clock))
    assert spine.last_seen(begun, "payments-db").clock_ahead == ahead
    assert json.loads(kept(begun).read_text())["clock_ahead"] == ahead
    assert view(begun).last_seen.clock_ahead == ahead


def test_a_sight_that_an_older_version_kept_is_of_no_known_cluster(begun):
    kept(begun).parent.mkdir(parents=True)
    kept(begun).write_text('{"time": 5, "member": "db1", "position": 1, "followers": {}}')
    assert spine.last_seen(begun, "payments-db") == LastSeen(5.0, "db1", 1, {}, None, None, None)


def test_what_the_engine_verified_is_read_from_the_services_own_facts():
    assert spine.verified("payments-db", {"continuity_observed": {"payments-db": as_fact(PRIMARY)}}) == PRIMARY
    assert spine.verified("payments-db", {"continuity_observed": {"other": as_fact(PRIMARY)}}) is None
    assert spine.verified("payments-db", {}) is None


@pytest.mark.parametrize(
    "content",
    [
        None,
        "",
        "[]",
        "null",
        "{}",
        b"\xff\xfe",
        '{"time": 5.0, "member": "db1", "posi',
        '{"time": "x", "member": "a", "position": 1, "followers": {}}',
        '{"time": 5, "member": "a", "position": "here", "followers": {}}',
        '{"time": 5, "member": "a", "position": 1, "followers": null}',
        '{"time": 5, "member": "a", "position": 1, "followers": {}, "clock_ahead": "fast"}',
    ],
)
def test_a_sight_that_is_missing_or_torn_is_none(begun, content):
    if content is not None:
        kept(begun).parent.mkdir(parents=True)
        kept(begun).write_bytes(content if isinstance(content, bytes) else content.encode())
    assert spine.last_seen(begun, "payments-db") is None


def test_a_request_carries_every_input_of_the_run(begun):
    request = spine.request_of(begun, "payments-db", "failover", 77.0)
    assert (request.verb, request.run_id, request.now, request.reason) == ("failover", begun.run_id, 77.0, "because")
    assert (request.target_site, request.source_site, request.waive) == ("dc2", None, ("lag_unknown",))
    assert (request.accept_data_loss_seconds, request.outage_started) == (30.0, 5.0)


EARLIER = "20261122T023100Z-0000"


@pytest.mark.parametrize(
    ("verb", "named", "service", "ended", "confirms"),
    [
        ("failover", EARLIER, "payments-db", "refused", True),
        ("switchover", EARLIER, "payments-db", "refused", False),  # a refusal of another verb asked for no such word
        ("failover", "20261122T023100Z-0001", "payments-db", "refused", False),  # made up
        ("failover", f"../runs/{EARLIER}", "payments-db", "refused", False),
        ("failover", None, "payments-db", "refused", False),
        ("failover", EARLIER, "payments-db", "done", False),
        ("failover", EARLIER, "payments-db", "failed", False),
        ("failover", EARLIER, "accounts-db", "refused", False),  # a word about one service is none about another
    ],
)
def test_only_a_run_that_refused_the_service_here_can_be_confirmed(begun, verb, named, service, ended, confirms):
    directory = str(Path(begun.directory).parent / EARLIER)
    spine.write_run(dataclasses.replace(begun, verb=verb, directory=directory))
    journal.append(directory, EARLIER, service, "decide", "done", fsync=False)
    before = time.time()
    journal.append(directory, EARLIER, service, "outcome", ended, fsync=False)
    now = dataclasses.replace(begun, verb="failover", inputs={**INPUTS, "confirm": named})
    refused_at = spine.request_of(now, "payments-db", "failover", 77.0).confirm_refused_at
    assert (refused_at is not None) is confirms
    assert refused_at is None or before - 0.001 <= refused_at <= time.time()


def test_a_run_that_was_refused_and_then_went_on_refuses_no_more(begun):
    directory = str(Path(begun.directory).parent / EARLIER)
    spine.write_run(dataclasses.replace(begun, directory=directory))
    for ended in ("refused", "done"):
        journal.append(directory, EARLIER, "payments-db", "outcome", ended, fsync=False)
    now = dataclasses.replace(begun, inputs={**INPUTS, "confirm": EARLIER})
    assert spine.request_of(now, "payments-db", "failover", 77.0).confirm_refused_at is None


def test_the_run_is_written_once_with_what_the_report_needs_and_no_secret(begun):
    spine.write_run(begun)
    path = Path(begun.directory) / "run.json"
    text = path.read_text()
    assert SECRET not in text
    data = json.loads(text)
    assert (data["run_id"], data["verb"], data["inputs"]["waive"]) == (begun.run_id, "failover", ["lag_unknown"])
    service = data["services"]["payments-db"]
    assert service["members"] == [{key: m[key] for key in ("host", "site", "address")} for m in SERVICE["members"]]
    assert (service["endpoints"], service["canary"], service["depends_on"]) == ([NAME], True, ["accounts-db"])
    assert data["plan"]["allowances"]["detection_seconds"] == 60.0
    assert (data["allow_degraded"], data["inventory"]) == (["endpoint_stale"], ["lab.yml"])
    assert data["options"] == list(begun.options)
    path.write_text("kept")
    spine.write_run(begun)
    assert path.read_text() == "kept"


def test_a_file_is_written_as_a_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "deep" / "file.json"
    spine.write_json(path, {"a": 1})
    monkeypatch.setattr(Path, "replace", mock.Mock(side_effect=OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        spine.write_json(path, {"a": 2})
    assert json.loads(path.read_text()) == {"a": 1}


def test_writers_of_one_file_do_not_use_each_others_half(tmp_path, monkeypatch):
    seen = []
    whole = Path.replace
    monkeypatch.setattr(Path, "replace", lambda self, target: (seen.append(self.name), whole(self, target))[1])
    for pid in (1, 2):
        monkeypatch.setattr(spine.os, "getpid", lambda pid=pid: pid)
        spine.write_json(tmp_path / "file.json", {})
    assert len(set(seen)) == 2 and not any(name.endswith(".json") for name in seen)


def evidence(member="db1", time=0.0):
    said = {
        "member": member,
        "source": "fence_x",
        "state": "off",
        "level": 3,
        "answers": True,
        "gives": 3,
        "text": "off",
    }
    return {f"{member} fence_x": {**said, "time": time}}


def test_what_fences_and_witnesses_said_counts_for_this_stage_only(begun):
    asked = begun.started + 60
    seen = {"payments-db": as_fact(dataclasses.replace(PRIMARY, asked=asked))}
    here = {"vantage": "localhost", "alive": True, "text": "alive"}
    looks = [
        {"vantage": "ns0", "member": "db2", "alive": True, "text": "alive", "time": asked + 1},
        {"vantage": "ns1", "member": "db2", "alive": False, "text": "silent", "time": asked + 1},
        {"vantage": "ns2", "member": "db2", "alive": True, "text": "alive", "time": asked - 1},
        {"item": {"vantage": "ns3"}, "skipped": True},
        {"vantage": "ns4", "member": "db2", "alive": False, "time": asked + 1, "controller": here},
        {"vantage": "ns5", "member": "db2", "alive": False, "time": asked - 1, "controller": here},
    ]
    known = hostvars(db1=seen) | {
        "payments-db": {
            "ansible_facts": {"continuity_fence_evidence": evidence("db1", asked - 1) | evidence("db2", asked + 1)},
            "continuity_sightings": {"results": looks},
        }
    }
    view = spine.view_of(begun, "payments-db", known, {})
    assert list(view.evidence) == ["db2"] and view.evidence["db2"][0].proves(3)
    assert [(each.witness, each.member) for each in view.sightings] == [("ns0", "db2"), ("localhost", "db2")]
    assert (view.service.fences, view.service.min_level) == (("fence_systemd",), 2)


@pytest.mark.parametrize(
    ("changes", "nobody_looks"),
    [
        ({}, ()),
        ({"address": "db1.example"}, ("db1",)),
        ({"address": "db1.example", "replication_address": "192.0.2.1"}, ()),
        ({"address": "db1.example", "replication_address": "db1.example"}, ("db1",)),
    ],
    ids=["an address", "a name", "an address between the members", "two names"],
)
def test_whom_nobody_else_would_look_at_is_known_by_its_addresses(begun, monkeypatch, changes, nobody_looks):
    first, second = SERVICE["members"]
    monkeypatch.setitem(begun.services, "payments-db", {**SERVICE, "members": [{**first, **changes}, second]})
    assert spine.service_of(begun, "payments-db").unwatched == nobody_looks


SITES = {"dc1": {"networks": ["192.0.2.0/25"]}, "dc2": {"networks": ["192.0.2.128/25"]}, "witness": {}}
KEEPS = "x.example.: the name server {}, which keeps its claims,"


@pytest.mark.parametrize(
    ("servers", "own", "inside"),
    [
        (["192.0.2.53"], {}, {"dc1": (KEEPS.format("192.0.2.53"),)}),
        (["192.0.2.53", "192.0.2.54"], {}, {"dc1": (KEEPS.format("192.0.2.53, 192.0.2.54"),)}),
        (["192.0.2.53", "192.0.2.153"], {}, {}),
        (["198.51.100.53"], {}, {}),
        ([], {"192.0.2.12": "192.0.2.7", "192.0.2.140": "192.0.2.7"}, {"dc1": ("this controller, 192.0.2.7,",)}),
        ([], {"192.0.2.12": "192.0.2.7", "192.0.2.140": "192.0.2.200"}, {}),
        ([], {"192.0.2.12": None, "192.0.2.140": None}, {}),
    ],
    ids=["server", "two of one site", "two sites", "no site's", "controller", "controller in both", "no way"],
)
def test_what_lives_in_a_site_and_is_needed_to_leave_it(begun, monkeypatch, servers, own, inside):
    """A machine with a foot in each site is in neither: what counts is how it reaches the members of the others."""
    first, second = SERVICE["members"]
    members = [{**first, "site": "dc1", "address": "192.0.2.12"}, {**second, "site": "dc2", "address": "192.0.2.140"}]
    endpoint = {"name": "x.example.", "zone": "example.", "servers": servers}
    monkeypatch.setitem(begun.services, "payments-db", {**SERVICE, "members": members, "endpoints": [endpoint]})
    monkeypatch.setattr(spine, "own_address", own.get)
    for verb, told in (("assess", inside), ("failover", {})):
        asked = dataclasses.replace(begun, verb=verb, plan={**begun.plan, "sites": {**begun.plan["sites"], **SITES}})
        assert spine.service_of(asked, "payments-db").inside == told


def test_a_machine_knows_the_address_from_which_it_would_ask():
    assert own_address("127.0.0.1") == "127.0.0.1"
    assert own_address("db1.example") is None and own_address("255.255.255.255") is None
