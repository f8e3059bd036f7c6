# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from fake_action import made

from ansible_collections.continuity.dr.plugins.action import postgresql_member_info
from ansible_collections.continuity.dr.plugins.action.postgresql_member_info import ActionModule
from ansible_collections.continuity.dr.plugins.plugin_utils.action import Output, Unreachable
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Observation
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql import observe

PAYMENTS = {
    "service": "payments-db",
    "host": "db1",
    "cluster": "15/payments",
    "site": "dc1",
    "address": "198.51.100.11",
    "peers": [{"host": "db2", "replication_address": "203.0.113.132"}],
}
ACCOUNTS = {"service": "accounts-db", "host": "db1", "cluster": "15/accounts", "port": 5433}
CRASHED = """@@service {service}
@@unit
ActiveState=failed
LoadState=loaded
@@state
7

@@psql
psql: error
@@psql_rc 2
@@status
@@status_rc 3
@@controldata
Database system identifier: 7301
Database cluster state: in production
Latest checkpoint's TimeLineID: 1
"""


def ask(answer, members=(PAYMENTS, ACCOUNTS), **args):
    action = made(ActionModule, {"members": list(members), **args})
    action.asked = []

    def execute(script, timeout, connect):
        action.asked.append((script, timeout + connect))
        if isinstance(answer, BaseException):
            raise answer
        return answer if isinstance(answer, Output) else Output(0, answer, "")

    action.execute = execute
    return action.run(task_vars={}), action.asked


def test_every_cluster_of_a_machine_is_asked_in_one_script_within_one_bound():
    answer = CRASHED.format(service="payments-db") + CRASHED.format(service="accounts-db")
    result, ((script, bound),) = ask(answer)
    assert bound == observe.OBSERVE_SECONDS == 3.0, "what docs/assess.md promises of a dead machine"
    assert "/var/lib/postgresql/15/payments" in script and "/var/lib/postgresql/15/accounts" in script
    assert result["changed"] is False and "unreachable_reason" not in result
    seen = result["observed"]["payments-db"]
    assert (seen["member"], seen["site"], seen["address"], seen["reachable"]) == ("db1", "dc1", "198.51.100.11", True)
    assert (seen["running"], seen["epoch"], seen["system_id"]) == (False, 7, "7301")
    assert result["observed"]["accounts-db"]["engine"]["ports"] == [5433]
    assert result["ansible_facts"] == {"continuity_observed": result["observed"]}


def test_a_machine_with_many_clusters_has_longer():
    many = [{**PAYMENTS, "service": f"s{number}"} for number in range(observe.AT_ONCE + 1)]
    _result, ((_script, bound),) = ask("", many)
    assert bound == 2 * observe.OBSERVE_SECONDS


def test_what_is_returned_is_an_observation_again():
    result, _asked = ask(CRASHED.format(service="payments-db"), [PAYMENTS])
    assert Observation.from_dict(result["observed"]["payments-db"]).role == "none"


def test_what_was_seen_counts_from_before_it_was_asked(monkeypatch):
    """The answer is older than the moment at which it arrives: what was committed meanwhile may be lost."""
    clock = iter([100.0, 103.0, 104.0])
    monkeypatch.setattr(postgresql_member_info.time, "time", lambda: next(clock))
    action = made(ActionModule, {"members": [PAYMENTS]})

    def execute(*_unused, **_named):
        assert postgresql_member_info.time.time() == 103.0
        return Output(0, CRASHED.format(service="payments-db"), "")

    action.execute = execute
    assert action.run(task_vars={})["observed"]["payments-db"]["asked"] == 100.0


def test_a_machine_that_does_not_answer_is_data_and_no_failure():
    result, _asked = ask(Unreachable("db1 gave no answer within 3 s"))
    assert "failed" not in result and result["unreachable_reason"] == "db1 gave no answer within 3 s"
    for seen in result["observed"].values():
        assert (seen["reachable"], seen["running"], seen["role"], seen["position"]) == (False, None, "unknown", None)
        assert seen["engine"]["units"] and seen["engine"]["ports"], "a fence needs them when the machine comes back"


@pytest.mark.parametrize(
    ("answer", "missing", "said"),
    [
        (Output(127, "", "sh: 1: mktemp: not found\n"), "payments-db, accounts-db", "mktemp: not found"),
        (CRASHED.format(service="payments-db"), "accounts-db", "it said nothing"),
    ],
)
def test_an_answer_that_is_missing_is_told_with_what_the_machine_said_instead(answer, missing, said):
    result, _asked = ask(answer)
    assert (
        result["unreachable_reason"].startswith(f"db1 gave no answer about {missing}: ")
        and said in result["unreachable_reason"]
    )
    assert result["observed"]["accounts-db"]["reachable"] is False


def test_logins_are_tried_only_where_it_is_asked_for():
    answer = CRASHED.format(service="payments-db")
    assert "IDENTIFY_SYSTEM" not in ask(answer, [PAYMENTS])[1][0][0]
    script = ask(answer, [PAYMENTS], replication_logins=True)[1][0][0]
    assert "host=203.0.113.132 port=5432 user=replicator" in script


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"service": None}, "members: service: give the name"),
        ({"host": None}, "members: host: give the name"),
        ({"cluster": "main"}, "members: cluster 'main': give <version>/<name>"),
        ({"peers": [{"port": 1}]}, "members: host: give the name"),
        ({"service": "../x"}, "service '../x'"),
    ],
)
def test_a_member_that_makes_no_sense_is_bad_input_and_nobody_is_contacted(change, text):
    result, asked = ask("", [{**PAYMENTS, **change}], replication_logins=True)
    assert (result["failed"], result["reason"]) == (True, "bad_input") and text in result["msg"]
    assert asked == []


def test_check_mode_asks_all_the_same():
    action = made(ActionModule, {"members": [PAYMENTS]}, check_mode=True)
    action.execute = lambda *_args, **_options: Output(0, CRASHED.format(service="payments-db"), "")
    assert action.run(task_vars={})["observed"]["payments-db"]["reachable"] is True
