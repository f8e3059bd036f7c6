# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The log of effects finds two writers where there are two: each attack's own mistake, made on purpose."""

from __future__ import annotations

from under_fire import SERVICE, Effect, Field, mine, wrong_winners

from ansible_collections.continuity.dr.plugins.plugin_utils import lease


def unguarded(field: Field, run: str, epoch: int) -> str:
    """What a script would be without its guard."""
    held = mine(run, epoch)
    return lease.guarded(None, SERVICE, f"epoch={held.epoch}; run={held.run_id}\n" + field.line("db1"))


def test_a_script_without_its_guard_is_found(field: Field) -> None:
    field.acquire("db1", mine("run-a", 1))
    field.act("db1", mine("run-a", 1))
    field.pass_time(400)
    field.acquire("db1", mine("run-b", 2))
    field.act("db1", mine("run-b", 2))
    assert wrong_winners(field.effects()) == []
    field.run("db1", unguarded(field, "run-a", 1))
    assert wrong_winners(field.effects()) == ["run-a/1 wrote on db1 in epoch 1 after run-b/1 in 2"]


def test_two_writers_in_one_epoch_are_found(field: Field) -> None:
    field.acquire("db1", mine("run-a", 1))
    field.act("db1", mine("run-a", 1))
    field.run("db1", unguarded(field, "run-b", 1))
    assert wrong_winners(field.effects()) == ["epoch 1: run-a/1 and run-b/1"]


def test_a_process_that_was_replaced_is_another_writer() -> None:
    first, again = Effect(1, "run-a", "1", "db1"), Effect(1, "run-a", "2", "db2")
    assert wrong_winners([first, again]) == ["epoch 1: run-a/1 and run-a/2"]
    assert wrong_winners([first, first, Effect(2, "run-a", "2", "db2")]) == []
