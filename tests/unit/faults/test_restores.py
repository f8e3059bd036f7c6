# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The faults of backups: how a copy is damaged, and what counts as a restore that failed as it must."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from harness import Result

from tests.faults.procedures import restores


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(restores, "inside", lambda _member, script, *_more: said.append(script))
    return said


def test_a_copy_is_damaged_as_the_drills_controls_do_and_mended(scripts: list[str]) -> None:
    undone: list[Any] = []
    trial: Any = SimpleNamespace(undo=undone.append)
    restores.damage(trial, "flipped_byte")
    assert undone == [restores.mend]
    restores.mend()
    inject, heal = scripts
    assert "copy=/srv/backup/dc2" in inject and "conv=notrunc" in inject and "changed nothing" in inject
    assert 'cp -a "$kept/." "$copy/"' in heal and "conv=notrunc" not in heal
    assert "{{" not in inject + heal


def ran(result: Result, *invocations: str) -> Any:
    left = iter(invocations)
    return SimpleNamespace(
        service="payments-db",
        watch=SimpleNamespace(verb=lambda *_words: result),
        unit=lambda *_words: next(left),
    )


def report(verdict: str) -> dict[str, Any]:
    return {"verdict": verdict, "services": [{"service": "payments-db", "message": "a byte"}]}


@pytest.mark.parametrize(
    ("result", "invocations", "wrong"),
    [
        (Result(2, "restore_failed", 0.0, report("failed")), ("a", "b", "a", "b"), ""),
        (Result(0, "restore_failed", 0.0, report("passed")), ("a", "b", "a", "b"), "restore_failed"),
        (Result(2, "no room", 0.0, report("failed")), ("a", "b", "a", "b"), "it does not say restore_failed"),
        (Result(2, "restore_failed", 0.0, report("failed")), ("a", "b", "a", "c"), "a server was restarted"),
    ],
    ids=["failed", "taken for a restore", "for another reason", "production touched"],
)
def test_a_restore_failed_as_it_must_or_it_did_not(
    monkeypatch: pytest.MonkeyPatch, result: Result, invocations: tuple[str, ...], wrong: str
) -> None:
    monkeypatch.setattr(restores, "serves_again", lambda _trial: None)
    trial = ran(result, *invocations)
    if wrong:
        with pytest.raises(AssertionError, match=wrong):
            restores.failed(trial, (), "restore_failed")
    else:
        assert restores.failed(trial, (), "restore_failed") == "`restore_failed`: a byte"
