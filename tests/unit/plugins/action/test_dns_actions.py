# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The DNS steps as Ansible runs them: options, results, facts, check and diff mode, and the role, against BIND 9."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dns_named
import pytest
from ansible.errors import AnsibleActionFail
from dns_named import DEAF, FOLLOWER, LOOPBACK, PRIMARY, SECRETS, NameServers

from ansible_collections.continuity.dr.plugins.action import dns_answer_info, dns_claim, dns_switch
from ansible_collections.continuity.dr.plugins.plugin_utils import armed, dns_step, run

CHECKOUT = Path(__file__).resolve().parents[4]
OLD, NEW = "198.51.100.11", "203.0.113.11"
NUMBERS = itertools.count()
STEPS = {"dns_answer_info": dns_answer_info, "dns_claim": dns_claim, "dns_switch": dns_switch}


@pytest.fixture(scope="module")
def name_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NameServers]:
    with NameServers(tmp_path_factory.mktemp("named")) as servers:
        yield servers


class Play:
    """Runs steps for one record as tasks of one host, and keeps the host's facts."""

    def __init__(self, servers: NameServers) -> None:
        self.servers = servers
        self.name = f"a{next(NUMBERS)}.shop.example."
        self.facts: dict[str, Any] = {}
        self.shared = {
            "zone": "shop.example.",
            "name": self.name,
            "servers": [f"{LOOPBACK}#{servers.ports[PRIMARY]}"],
            "key": {"name": "continuity", "secret": SECRETS["continuity"]},
        }

    def run(self, step: str, check: bool = False, diff: bool = False, **args: Any) -> dict[str, Any]:
        """Run one task. A worker of Ansible's starts with nothing of the loop of another task."""
        dns_step._ITEMS.clear()
        return self.item(step, check, diff, **args)

    def item(self, step: str, check: bool = False, diff: bool = False, **args: Any) -> dict[str, Any]:
        task = SimpleNamespace(
            action=f"continuity.dr.{step}",
            args={**self.shared, **args},
            check_mode=check,
            diff=diff,
            async_val=0,
            delegate_to=None,
            delegate_facts=None,
        )
        connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None), has_pipelining=True)
        host, templar = SimpleNamespace(remote_addr="localhost"), SimpleNamespace(template=lambda value: value)
        action = STEPS[step].ActionModule(task, connection, host, None, templar, None)
        action._early_needs_tmp_path = lambda: False
        task_vars = {"inventory_hostname": "localhost", "ansible_facts": self.facts}
        result: dict[str, Any] = action.run(task_vars=task_vars)
        self.facts = {**self.facts, **result.get("ansible_facts", {})}
        assert SECRETS["continuity"] not in json.dumps(result)
        return result

    def point(self, **args: Any) -> dict[str, Any]:
        return self.run("dns_switch", **{"value": [NEW], "expected": [OLD], "ttl": 5, **args})


@pytest.fixture
def play(name_servers: NameServers) -> Play:
    play = Play(name_servers)
    assert play.point(value=[OLD], expected="absent")["changed"]
    return play


def test_a_run_from_claim_to_verified(play: Play) -> None:
    claim = play.run("dns_claim", run_id="run-a", type="A")
    assert (claim["changed"], claim["status"], claim["epoch"]) == (True, "claimed", 1)
    now = play.run("dns_claim", state="observed", run_id="run-a")
    assert (now["changed"], now["status"], now["usable"]) == (False, "own", True)
    moved = play.point(run_id="run-a", epoch=claim["epoch"], guard=claim["guard"])
    assert (moved["changed"], moved["status"], moved["after"]["value"]) == (True, "switched", [NEW])
    again = play.point(run_id="run-a", epoch=claim["epoch"])
    assert (again["changed"], again["status"]) == (False, "already")
    follower = f"{LOOPBACK}#{play.servers.ports[FOLLOWER]}"
    seen = play.run(
        "dns_switch",
        state="verified",
        value=[NEW],
        authoritative=[follower],
        serial=moved["serial_after"],
        previous_ttl=moved["before"]["ttl"],
    )
    assert (seen["changed"], seen["status"], seen["fresh"]) == (False, "verified", 2)
    assert seen["clients_safe_at"] >= moved["applied_at"]
    closed = play.run("dns_claim", state="released", run_id="run-a")
    assert (closed["changed"], closed["state"]) == (False, "switched")


def test_the_time_to_live_is_lowered_and_what_is_armed_behind_it_gets_the_new_guard(play: Play) -> None:
    play.point(value=[OLD], expected=[OLD], ttl=300)
    claim = play.run("dns_claim", run_id="run-a", type="A")
    mine = {"run_id": "run-a", "epoch": claim["epoch"]}
    told = play.run("dns_switch", check=True, diff=True, state="prepared", value=[OLD], ttl=5, **mine)
    assert (told["changed"], play.facts["continuity_claims"][play.name]["guard"]) == (True, claim["guard"])
    assert (" 300 IN A " in told["diff"]["before"], " 5 IN A " in told["diff"]["after"]) == (True, True)
    ready = play.run("dns_switch", state="prepared", value=[OLD], ttl=5, **mine)
    assert (ready["changed"], ready["status"], ready["held_seconds"]) == (True, "prepared", 300)
    assert play.facts["continuity_endpoint_prepared"][play.name]["clients_safe_at"] == ready["clients_safe_at"]
    guard = play.facts["continuity_claims"][play.name]["guard"]
    assert " cached=" in guard
    assert play.facts["continuity_claims"][play.name]["epoch"] == claim["epoch"]
    before = play.servers.updates()
    moved = play.point(ttl=300, guard=guard, **mine)
    assert (moved["status"], moved["before"]["ttl"], moved["after"]["ttl"]) == ("switched", 5, 300)
    assert play.servers.updates() == before + 1, "no message more in the outage"
    assert 5 < moved["held_seconds"] <= 301


def test_the_time_to_live_is_put_back(play: Play) -> None:
    play.run("dns_switch", state="restored", value=[OLD], ttl=300)
    again = play.run("dns_switch", state="restored", value=[OLD], ttl=300)
    assert (again["changed"], again["status"], again["after"]["ttl"]) == (False, "already", 300)
    assert play.facts["continuity_endpoint_restored"][play.name]["status"] == "already"


@pytest.mark.parametrize("state", ["prepared", "restored"])
def test_a_time_to_live_alone_needs_one(play: Play, state: str) -> None:
    result = play.run("dns_switch", state=state, value=[OLD])
    assert (result["failed"], result["reason"]) == (True, "bad_input")
    assert result["problems"] == [f"ttl is missing: give the time to live that state {state} is to leave"]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[armed.Place]:
    """A run with one service, which is the host of the tasks; where its armed steps meet what announces."""
    run.forget()
    begun = run.begin(verb="switchover", inputs={}, plan={}, services={"localhost": {}}, runs_directory=str(tmp_path))
    yield armed.Place.of(begun.directory, "localhost")
    run.forget()


def test_an_armed_switch_is_sent_at_the_promotion_and_the_step_returns_what_came_of_it(
    play: Play, place: armed.Place
) -> None:
    claim = play.run("dns_claim", run_id="run-a", type="A")
    mine = {"run_id": "run-a", "epoch": claim["epoch"], "guard": claim["guard"]}
    ready = play.point(state="armed", **mine)
    assert (ready["changed"], ready["armed"]) == (False, True)
    assert play.point(state="armed", check=True, **mine)["armed"] is False
    assert armed.announce(place, "promoted", {"address": NEW}) == [f"point-{play.name.rstrip('.')}"]
    before = play.servers.updates()
    moved = play.point(**mine)
    assert (moved["changed"], moved["status"], moved["armed"]) == (True, "switched", True)
    assert (moved["before"]["value"], moved["after"]["value"]) == ([OLD], [NEW])
    assert play.facts["continuity_endpoint_pointed"][play.name]["serial_after"] == moved["serial_after"]
    assert play.servers.updates() - before <= 1, "the step itself sent none"
    assert (play.point(run_id="run-a", epoch=claim["epoch"])["status"]) == "already"


def test_an_armed_switch_waits_a_minute_in_a_process_that_has_left_the_task(
    play: Play, place: armed.Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []
    detached: list[bool] = []
    monkeypatch.setattr(armed, "start", lambda *args: started.append(args))
    monkeypatch.setattr(dns_switch.ActionModule, "detach", lambda _action: detached.append(True))
    monkeypatch.setattr(dns_switch, "client", lambda _target: SimpleNamespace(ask=lambda _question: None))
    ready = play.point(state="armed")
    ((_place, topic, _name, prepare, seconds),) = started
    assert (topic, seconds, ready["seconds"], detached) == ("promoted", 60, 60, [])
    prepare()
    assert detached == [True]


@pytest.mark.parametrize("announced", [{"address": "198.51.100.99"}, {}, None], ids=["another", "none", "not at all"])
def test_an_armed_switch_follows_nobody_but_the_member_it_names(
    play: Play, place: armed.Place, announced: dict[str, str] | None
) -> None:
    play.point(state="armed")
    before = play.servers.updates()
    if announced is not None:
        armed.announce(place, "promoted", announced)
        assert armed.collect(place, f"point-{play.name.rstrip('.')}", 10.0) == armed.Fired({})
    assert play.servers.updates() == before
    moved = play.point()
    assert moved["status"] == "switched" and "armed" not in moved


def test_an_armed_switch_that_came_too_late_keeps_what_others_wrote_and_the_step_says_so(
    play: Play, place: armed.Place
) -> None:
    play.point(state="armed")
    assert play.point(value=["198.51.100.77"], expected=[OLD], state="switched")["changed"]
    play.point(state="armed")
    armed.announce(place, "promoted", {"address": NEW})
    refused = play.point()
    assert (refused["failed"], refused["reason"]) == (True, "conflict")


def test_check_mode_sends_no_update_and_diff_mode_shows_the_lines(play: Play) -> None:
    before = play.servers.updates()
    claim = play.run("dns_claim", check=True, run_id="run-a")
    assert (claim["changed"], claim["epoch"]) == (True, 1)
    moved = play.point(check=True, diff=True, run_id="run-a", epoch=1, guard=claim["guard"])
    assert moved["changed"]
    assert f"{play.name} 5 IN A {OLD}\n" in moved["diff"]["before"]
    assert f"{play.name} 5 IN A {NEW}\n" in moved["diff"]["after"]
    assert play.run("dns_claim", check=True, state="released", run_id="run-a")["changed"] is False
    assert play.servers.updates() == before
    assert play.run("dns_answer_info", authoritative=[])["value"] == [OLD]


def test_facts_are_kept_for_each_endpoint(play: Play, name_servers: NameServers) -> None:
    other = Play(name_servers)
    play.run("dns_answer_info", authoritative=[])
    play.run("dns_answer_info", name=other.name, authoritative=[])
    observed = play.facts["continuity_endpoint_observed"]
    assert set(observed) == {play.name, other.name}
    assert (observed[play.name]["value"], observed[other.name]["value"]) == ([OLD], [])
    play.point()
    assert play.facts["continuity_endpoint_pointed"][play.name]["after"]["value"] == [NEW]


def test_facts_of_a_loop_add_up_also_where_an_item_does_not_see_those_before(play: Play) -> None:
    """ansible-core 2.19 shows each item of a loop the facts from before the task."""
    names = [play.name, f"second-{play.name}"]
    dns_step._ITEMS.clear()
    for name in names:
        play.facts = {}
        play.item("dns_claim", run_id="run-a", name=name)
    assert sorted(play.facts["continuity_claims"]) == sorted(names)


def test_a_held_claim_is_a_refusal(play: Play) -> None:
    play.run("dns_claim", run_id="run-a", owner="ann@desk")
    result = play.run("dns_claim", run_id="run-b")
    assert (result["failed"], result["refused"], result["changed"], result["reason"]) == (
        True,
        True,
        False,
        "claim_held",
    )
    assert result["refusals"][0]["rule"] == "claim_held"
    assert result["held_by"]["owner"] == "ann@desk"
    assert "ann@desk" in result["msg"]


def test_no_arbiter_is_a_refusal_that_can_be_waived(play: Play) -> None:
    result = play.run("dns_claim", run_id="run-a", servers=[f"{LOOPBACK}#{dns_named.free_ports(1)[0]}"])
    assert (result["refused"], result["reason"]) == (True, "arbiter_unreachable")
    assert result["refusals"][0]["waivable"] is True


def test_a_conflict_is_a_refusal_with_what_was_found(play: Play) -> None:
    result = play.point(expected=["198.51.100.99"])
    assert (result["refused"], result["reason"], result["before"]["value"]) == (True, "conflict", [OLD])


def test_a_stale_server_is_a_failure_with_every_server(play: Play) -> None:
    deaf = f"{LOOPBACK}#{play.servers.ports[DEAF]}"
    result = play.run("dns_switch", state="verified", value=[OLD], authoritative=[deaf], deadline=0.5)
    assert (result["failed"], result["reason"], result["status"]) == (True, "partial", "partial")
    assert [server["state"] for server in result["servers"]] == ["fresh", "stale"]


def test_a_wrong_key_fails_a_change_and_is_data_for_a_reader(play: Play) -> None:
    stranger = {"name": "stranger", "secret": SECRETS["powerless"]}
    assert play.point(key=stranger)["reason"] == "tsig_badkey"
    seen = play.run("dns_answer_info", key=stranger, authoritative=[])
    assert "failed" not in seen
    assert (seen["reason"], seen["value"]) == ("tsig_badkey", [OLD])


def test_wrong_values_are_told_all_at_once(play: Play) -> None:
    result = play.point(value=["::1"], ttl=0, servers=["ns0"], key={"name": "k", "secret": "no base64, surely"})
    assert (result["failed"], result["reason"], len(result["problems"])) == (True, "bad_input", 4)
    assert "no base64, surely" not in json.dumps(result)


@pytest.mark.parametrize(
    ("step", "args", "word"),
    [
        ("dns_switch", {"value": [NEW], "vaule": 1}, "vaule"),
        ("dns_switch", {"value": [NEW], "type": "MX"}, "MX"),
        ("dns_switch", {"value": [NEW], "state": "lowered"}, "lowered"),
        ("dns_switch", {}, "value"),
        ("dns_claim", {"claim_seconds": "soon"}, "claim_seconds"),
        ("dns_claim", {"state": "stolen"}, "stolen"),
        ("dns_answer_info", {"key": {"name": "k", "algorithm": "rot13", "secret": "eA=="}}, "rot13"),
    ],
)
def test_options_are_held_to_the_documentation(play: Play, step: str, args: dict[str, Any], word: str) -> None:
    with pytest.raises(AnsibleActionFail, match=word):
        play.run(step, **args)


@pytest.mark.parametrize(
    ("step", "state", "journaled"),
    [
        ("dns_claim", "claimed", "claim"),
        ("dns_claim", "released", "release"),
        ("dns_claim", "observed", None),
        ("dns_switch", "switched", "point"),
        ("dns_switch", "verified", "verify"),
        ("dns_answer_info", None, None),
    ],
)
def test_each_step_has_its_name_in_the_journal(
    play: Play, monkeypatch: pytest.MonkeyPatch, step: str, state: str | None, journaled: str | None
) -> None:
    written: list[tuple[str | None, str, dict[str, Any]]] = []

    def write(self: Any, task_vars: Any, args: Any, state: str, result: Any) -> None:
        written.append((self.journal_step, state, self.journal_intent(args)))

    monkeypatch.setattr(dns_step.Step, "_write", write)
    args: dict[str, Any] = {"state": state} if state else {}
    args |= {"value": [NEW], "expected": [OLD]} if step == "dns_switch" else {}
    args |= {"run_id": "run-a"} if step == "dns_claim" else {"authoritative": []}
    play.run(step, **args)
    assert [line[:2] for line in written][0] == (journaled, "started")
    assert written[0][2]["name"] == play.name
    assert "key" not in written[0][2]


PLAYBOOK = """
- name: Move a record with the role alone
  hosts: localhost
  gather_facts: false
  vars:
    endpoint:
      name: {name}
      zone: shop.example.
      servers: ["127.0.0.1#{primary}"]
      authoritative: ["127.0.0.1#{follower}"]
      ttl_seconds: 5
      key: {{name: continuity, secret: "{{{{ lookup('file', secret_file) }}}}"}}
  tasks:
    - name: Look
      ansible.builtin.include_role: {{name: continuity.dr.endpoint_rfc2136, tasks_from: observe}}

    - name: Move
      ansible.builtin.include_role: {{name: continuity.dr.endpoint_rfc2136, tasks_from: point}}
      vars:
        endpoint_value: ["{new}"]
        endpoint_expected: "{{{{ ansible_facts.continuity_endpoint_observed[endpoint.name].value or 'absent' }}}}"

    - name: Wait
      ansible.builtin.include_role: {{name: continuity.dr.endpoint_rfc2136, tasks_from: verify}}
      vars:
        endpoint_value: ["{new}"]
      when: not ansible_check_mode

    - name: Show
      ansible.builtin.debug:
        var: ansible_facts.continuity_endpoint_verified
"""


def playbook(play: Play, directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    ports = play.servers.ports
    text = PLAYBOOK.format(name=play.name, primary=ports[PRIMARY], follower=ports[FOLLOWER], new=NEW)
    (directory / "play.yml").write_text(text)
    (directory / "ansible.cfg").touch()
    (directory / "secret").write_text(SECRETS["continuity"])
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / "build" / "collections"),
        "ANSIBLE_LOCAL_TEMP": str(directory / "tmp"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_CONFIG": str(directory / "ansible.cfg"),
    }
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "-vvv", "--diff"]
    command += ["-e", f"secret_file={directory / 'secret'}", *arguments, str(directory / "play.yml")]
    done = subprocess.run(
        command, env=environment, cwd=directory, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert SECRETS["continuity"] not in done.stdout + done.stderr
    return done


def test_the_role_works_alone_and_a_second_run_changes_nothing(play: Play, tmp_path: Path) -> None:
    before = play.servers.updates()
    checked = playbook(play, tmp_path, "--check")
    assert "changed=1 " in checked.stdout
    assert f"+{play.name} 5 IN A {NEW}" in checked.stdout
    assert play.servers.updates() == before

    first = playbook(play, tmp_path)
    assert "changed=1 " in first.stdout
    assert '"status": "verified"' in first.stdout
    assert '"clients_safe_at": "' in first.stdout
    assert play.servers.updates() == before + 1

    second = playbook(play, tmp_path)
    assert "changed=0 " in second.stdout
    assert play.servers.updates() == before + 1
