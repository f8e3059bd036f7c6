# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A primary that the controller cannot reach: fenced by a device for real, or refused. The device is Docker."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import (
    LAB,
    Result,
    changed_plan,
    differences,
    inside,
    lab,
    run_verb,
    sql,
    start_verb,
    state,
    wait_for_step,
    writable,
)

MOVE = ("scope=accounts-db", "target_site=dc2", "accept_data_loss=5m", '{"reason": "a test of the fence"}')
PORTS = {"db1": 5433, "db2": 5434}
WITH_AGENT = """    fence:
      - role: continuity.dr.fence_systemd
      - role: continuity.dr.fence_agent
        agent: {agent}
        members: {{db1: {{plug: db1, password: fence-secret-4711}}, db2: {{plug: db2}}}}
        timeout: 10s
        call_timeout: 5s
        power_on_within: 40s
"""
WITH_NETWORK = """    fence:
      role: continuity.dr.fence_network
      members: {db1: {guards: [localhost]}, db2: {guards: [localhost]}}
      vantages: [client, db1, db2]
"""
#: No packet of db1 reaches its standby, the controller or a witness; clients of its own site still reach it.
CUT_OFF = """iptables -I INPUT -s 203.0.113.128/26 -j DROP; iptables -I OUTPUT -d 203.0.113.128/26 -j DROP
iptables -I INPUT -s 198.51.100.1 -j DROP; iptables -I OUTPUT -d 198.51.100.1 -j DROP"""


def cut_off(more: str = "") -> None:
    """db1 lives and serves, and nobody of the other site sees it; its standby has noticed."""
    receives_for_a_second()
    inside("db1", f"{CUT_OFF}\n{more}")
    nobody_receives()


def receives_for_a_second() -> None:
    """The standby takes its primary for lost after a second of silence."""
    sql("db2", 5434, "alter system set wal_receiver_timeout = '1s'")
    sql("db2", 5434, "select pg_reload_conf()")


def nobody_receives() -> None:
    """Wait until the standby has noticed."""
    alone = "test -z \"$(runuser -u postgres -- psql -XAtq -p 5434 -c 'select 1 from pg_stat_wal_receiver')\""
    inside("db2", f"for i in $(seq 150); do {alone} && exit 0; sleep 0.1; done; exit 1")


def plan(directory: Path, fence: str) -> Path:
    """The lab's plan, accounts-db and payments-db fenced by something else."""
    return changed_plan(directory, ("    fence:\n      role: continuity.dr.fence_systemd\n", fence))


def agent(directory: Path, first: str) -> Path:
    """The lab's agent with shell in front of it: `$action` is what it is asked."""
    path = directory / "fence_lab_test"
    path.write_text(
        f'#!/bin/sh\ninput=$(cat); action=$(printf "%s\\n" "$input" | sed -n "s/^action=//p")\n{first}\n'
        f'printf "%s\\n" "$input" | {LAB}/fence_lab\n',
        encoding="utf-8",
    )
    path.chmod(0o755)
    return path


def power(member: str) -> str:
    """What Docker says of the member's container, past everything that is tested."""
    words = ["docker", "inspect", "--format", "{{.State.Running}}", f"continuity-lab-{member}"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


def refusals(result: Result, service: str = "accounts-db") -> dict[str, str]:
    assert result.rc != 0 and result.report["verdict"] == "refused", result.output
    return {rule: str(refusal["measured"]) for rule, refusal in result.rules(service).items()}


@pytest.fixture
def known(healthy: None) -> Iterator[None]:
    """The primary was seen a moment ago: how much may be lost is known."""
    assert run_verb("assess", "scope=accounts-db").rc == 0
    yield


@pytest.fixture
def lost(known: None) -> Iterator[None]:
    """db1 has lost its power."""
    lab("fault", "member_killed", "--member", "db1")
    yield


def test_a_machine_without_power_is_proven_off_and_comes_back_held_down(lost: None, tmp_path: Path) -> None:
    with_agent = plan(tmp_path, WITH_AGENT.format(agent=LAB / "fence_lab"))
    result = run_verb("failover", *MOVE, plan=with_agent)
    assert result.rc == 0, result.output
    assert not result.service("accounts-db")["waivers"]
    assert "level 3 by fence_agent: fence_lab db1 is off" in str(result.report)
    assert "fence-secret-4711" not in result.output + str(result.report)
    assert power("db1") == "false"
    assert writable({"db2": 5434}, "accounts") == ["db2"]

    on = run_verb("rejoin", "scope=accounts-db", plan=with_agent)
    assert on.rc == 0 and "db1 (switched on, held down); next: run rejoin" in on.output, on.output
    assert power("db1") == "true"
    assert inside("db1", "systemctl show -p LoadState --value postgresql@15-accounts") == "masked"
    assert writable(PORTS, "accounts") == ["db2"]
    back = run_verb("rejoin", "scope=accounts-db", plan=with_agent)
    assert back.rc == 0, back.output
    assert inside("db1", "systemctl is-active postgresql@15-accounts") == "active"
    assert writable(PORTS, "accounts") == ["db2"]
    again = run_verb("rejoin", "scope=accounts-db", plan=with_agent)
    assert again.rc == 0 and again.changed == 0, again.output


def test_a_live_primary_behind_a_cut_link_is_switched_off_and_only_then_replaced(known: None, tmp_path: Path) -> None:
    cut_off()
    assert writable(PORTS, "accounts") == ["db1"]
    result = run_verb("failover", *MOVE, plan=plan(tmp_path, WITH_AGENT.format(agent=LAB / "fence_lab")))
    assert result.rc == 0, result.output
    assert power("db1") == "false"
    assert writable({"db2": 5434}, "accounts") == ["db2"]


@pytest.mark.parametrize(
    ("first", "rule", "told"),
    [
        ("[ $action != status ] || exit 1", "old_primary_unfenced", "fence_agent"),
        ("[ $action != status ] || sleep 30", "old_primary_unfenced", "gave no answer within 5 s"),
        ("[ $action != status ] || { echo 'Status: OFF'; exit 0; }", "old_primary_unfenced", "ended with 0"),
    ],
    ids=["fails", "hangs", "half an answer"],
)
def test_a_device_that_gives_no_answer_proves_nothing(
    known: None, tmp_path: Path, first: str, rule: str, told: str
) -> None:
    cut_off()
    before = state()
    found = refusals(run_verb("failover", *MOVE, plan=plan(tmp_path, WITH_AGENT.format(agent=agent(tmp_path, first)))))
    assert told in found[rule]
    assert differences(before) == ""


def test_a_device_that_lies_about_switching_promotes_nobody(known: None, tmp_path: Path) -> None:
    cut_off()
    liar = agent(tmp_path, "[ $action != off ] || { echo 'Success: Powered OFF'; exit 0; }")
    result = run_verb("failover", *MOVE, plan=plan(tmp_path, WITH_AGENT.format(agent=liar)))
    assert result.rc != 0 and "db1 is not fenced" in result.output and "is on" in result.output, result.output
    assert writable(PORTS, "accounts") == ["db1"]


def test_a_network_fence_proves_nothing_about_a_machine_without_a_network(known: None, tmp_path: Path) -> None:
    cut_off("iptables -I INPUT -s 198.51.100.40 -j DROP")
    before = state()
    found = refusals(run_verb("failover", *MOVE, plan=plan(tmp_path, WITH_NETWORK)))
    assert "fence_network" in found["old_primary_unfenced"]
    assert differences(before) == ""


def test_a_frozen_machine_is_isolated_by_its_network_and_only_then_replaced(known: None, tmp_path: Path) -> None:
    """Nothing can be asked of db1, but packets pass a gateway: dropped there, and two machines see the port closed."""
    with_network = plan(tmp_path, WITH_NETWORK)
    receives_for_a_second()
    lab("fault", "member_paused", "--member", "db1")
    nobody_receives()
    result = run_verb("failover", *MOVE, plan=with_network)
    assert result.rc == 0, result.output
    assert not result.service("accounts-db")["waivers"]
    assert "level 2 by fence_network" in str(result.report)
    lab("heal", "member_paused", "--member", "db1")
    # It knows of nothing and takes writes; nobody reaches it, while its SSH and the other service are reached
    assert sql("db1", 5433, "select pg_is_in_recovery()") == "f"
    tried = "timeout 2 bash -c 'exec 3<>/dev/tcp/198.51.100.11/{}'"
    assert inside("client", f"{tried.format(22)} && {tried.format(5432)} && ! {tried.format(5433)} && echo so") == "so"

    assert refusals(run_verb("rejoin", "scope=accounts-db", plan=with_network))["two_primaries"] == "db1, db2"
    inside("db1", "systemctl stop postgresql@15-accounts")  # as the refusal says
    back = run_verb("rejoin", "scope=accounts-db", plan=with_network)
    assert back.rc == 0, back.output
    assert writable(PORTS, "accounts") == ["db2"]
    assert sql("db1", 5433, "select pg_is_in_recovery()") == "t"
    assert inside("client", f"{tried.format(5433)} && echo so") == "so", "it is released again"
    again = run_verb("rejoin", "scope=accounts-db", plan=with_network)
    assert again.rc == 0 and again.changed == 0, again.output


def test_a_database_that_answers_somebody_vetoes_whatever_the_device_could_do(known: None, tmp_path: Path) -> None:
    cut_off("iptables -F; iptables -I INPUT -s 203.0.113.132 -j DROP; iptables -I INPUT -p tcp --dport 22 -j DROP")
    before = state()
    with_agent = plan(tmp_path, WITH_AGENT.format(agent=LAB / "fence_lab"))
    found = refusals(run_verb("failover", *MOVE, plan=with_agent))
    assert "localhost gets an answer from db1" in found["primary_seen"]
    assert differences(before) == ""


def test_who_is_back_behind_an_operators_word_is_not_replaced(lost: None, tmp_path: Path) -> None:
    """The word was right when it was given. The controller slept since, and somebody switched db1 on."""
    refused = f"refused-{time.time_ns()}"
    assert run_verb("failover", *MOVE, f"continuity_run_id={refused}").rc != 0
    slept = f"slept-{time.time_ns()}"
    word = (*MOVE, "waive=old_primary_unfenced,missing_candidate", f"confirm={refused}")
    with start_verb("failover", *word, f"continuity_run_id={slept}") as verb:
        wait_for_step(slept, "accounts-db", "claim", "done")
        os.killpg(verb.pid, signal.SIGSTOP)
        lab("heal", "member_killed", "--member", "db1")
        until = time.monotonic() + 60
        while writable(PORTS, "accounts") != ["db1"]:
            assert time.monotonic() < until, "db1 does not come back"
            time.sleep(0.5)
        os.killpg(verb.pid, signal.SIGCONT)
        output = verb.communicate(timeout=120)[0]
    assert verb.returncode != 0 and "Nothing was promoted" in output, output
    assert writable(PORTS, "accounts") == ["db1"]


def test_a_word_counts_only_when_it_names_a_refusal(lost: None, tmp_path: Path) -> None:
    waived = (*MOVE, "waive=old_primary_unfenced")
    assert (
        refusals(run_verb("failover", *waived, "confirm=yes"))["confirmation_missing"]
        == "yes, no such refusal is kept here"
    )
    name = f"by-my-word-{time.time_ns()}"
    itself = (*waived, f"continuity_run_id={name}", f"confirm={name}")
    for _time in ("first", "second"):  # the same line again is no word of anybody either
        assert refusals(run_verb("failover", *itself))["confirmation_missing"] == f"{name}, this run itself"
    named = run_verb("failover", *waived, f"confirm={name}")
    assert named.rc == 0, named.output
    assert "level 0, an operator's word: a test of the fence" in str(named.report)
