# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A member whose server cannot even be asked is told as that, not as one whose server is down."""

from __future__ import annotations

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.core.decide import decide
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Request, Service
from ansible_collections.continuity.dr.plugins.plugin_utils.core.view import View
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql import observe, read

DENIED = "sudo: a password is required"


def seen(machine):
    output = machine.run(observe.script([observe.Question("shop", machine.cluster)]))
    answer = observe.parse(output.stdout)["shop"]
    return read.observation("db1", "dc1", "198.51.100.11", answer, machine.cluster)


def without_psql(machine):
    (machine.bin / "psql").unlink(missing_ok=True)


def without_rights(machine):
    machine.program("sudo", f"echo '{DENIED}' >&2; exit 1")


def without_a_right_in_the_database(machine):
    machine.program("psql", "echo 'ERROR:  permission denied for function pg_control_system' >&2; exit 3")


def frozen(machine):
    machine.program("psql", "exec sleep 30")


def down(machine):
    machine.program("psql", "echo 'connection to server on socket failed: No such file or directory' >&2; exit 2")


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (without_psql, "psql"),
        (without_rights, DENIED),
        (without_a_right_in_the_database, "permission denied for function pg_control_system"),
    ],
    ids=["no psql", "no rights by sudo", "no right in the database"],
)
def test_what_keeps_the_server_from_being_asked_is_named(machine, broken, told):
    broken(machine)
    (problem,) = seen(machine).problems
    assert problem.rule == "cannot_ask"
    assert told in problem.measured
    assert f"{machine.bin}/psql could not ask" in problem.message
    assert "bin_directory" in problem.hint and "rights" in problem.hint


@pytest.mark.parametrize("state", [down, frozen])
def test_a_server_that_is_down_or_hangs_was_asked(machine, state):
    state(machine)
    assert seen(machine).problems == ()


def test_every_refusal_tells_it(machine):
    """Else all that a person reads is that no replica runs."""
    without_psql(machine)
    observed = seen(machine)
    view = View(Service("shop", 300.0, {"db1": "dc1"}, "dc1"), {"db1": observed})
    for verb in ("failover", "switchover", "rejoin", "assess"):
        rules = [refusal.rule for refusal in decide(view, Request(verb, "run-1", 1e6, target_site="dc1")).refusals]
        assert rules.count("cannot_ask") == 1 and len(rules) > 1, (verb, rules)
