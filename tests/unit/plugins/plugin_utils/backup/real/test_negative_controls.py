# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every negative control, on a copy of each repository: refused or failed for its own reason, production untouched."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime

import pytest
from backup_controls import CONTROLS, Control

from ansible_collections.continuity.dr.plugins.plugin_utils.backup import prove
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.member import MemberError, MemberRefused


@pytest.fixture
def damaged(history):
    """`damaged(control, 2)`: the configuration of pgBackRest for a copy of repository 2 with the control's damage."""
    copies = history.home / "copies"

    def make(control: Control, repository: int) -> str:
        copies.mkdir()
        original = history.home / f"repo{repository}"
        subprocess.run(["cp", "-a", original, copies / "damaged"], check=True)
        if control.damage:
            subprocess.run(
                ["/bin/sh", "-eu"], input=f"copy={copies}/damaged\n{control.damage}\n", text=True, check=True
            )
            compare = ["diff", "-rq", original, copies / "damaged"]
            assert subprocess.run(compare, capture_output=True, check=False).returncode != 0
        repositories = {1: history.home / "repo1", 2: history.home / "repo2", repository: copies / "damaged"}
        return str(history.configured("damaged.conf", repositories[1], repositories[2]))

    yield make
    shutil.rmtree(copies, ignore_errors=True)


def met(history, control: Control, repository: int, config: str, wanted) -> str:
    """The rule or the reason that a restore ends with; `restored` when nothing stood in its way."""
    target = control.restore_to
    if target == "after_the_last_commit":  # and before its segment was archived: only the server can tell
        found = history.restorer(config=config).ask().repositories[repository - 1]
        target = datetime.fromtimestamp(found.archive.newest + 0.9, tz=UTC).isoformat()
    checks = control.checks or ("select count(*) = 200 from orders",)
    request = wanted(target, checks=checks, timeline=control.timeline, repository=repository)
    try:
        return str(history.restorer(config=config).restored(request)["state"])
    except MemberRefused as refused:
        return refused.refusals[0].rule
    except MemberError as error:
        return error.reason


@pytest.mark.parametrize("repository", [1, 2])
@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.name)
def test_a_control_is_met_with_its_own_reason(history, damaged, wanted, control, repository):
    before = (history.sql("select count(*) from canary"), history.sql("select pg_postmaster_start_time()"))
    config = damaged(control, repository)
    found = met(history, control, repository, config, wanted)
    assert found == control.expected
    assert (history.sql("select count(*) from canary"), history.sql("select pg_postmaster_start_time()")) == before
    assert not history.restorer().ask().restore or history.restorer().ask().restore["phase"] != "proven"


@pytest.mark.parametrize("control", [each for each in CONTROLS if each.verify], ids=lambda control: control.name)
def test_verify_finds_the_damage_in_the_files(history, damaged, control):
    config = damaged(control, 2)
    with pytest.raises(MemberError) as failed:
        history.maker(config=config).verified([2])
    assert failed.value.reason == "backup_damaged" and control.verify in str(failed.value)


def test_verify_is_content_with_what_is_whole(history):
    result = history.maker().verified()
    assert [each["wrong"] for each in result["repositories"]] == [[], []]
    assert all(each.verified for each in history.maker().ask().repositories)


def test_without_the_proof_a_control_would_pass_for_a_restore(history, damaged, wanted, monkeypatch):
    """The controls stand on the verification: without it two of them would be taken for successful restores."""
    monkeypatch.setattr(prove, "unproven", lambda *_given: iter(()))
    monkeypatch.setattr(prove, "not_reached", lambda *_given: "")
    monkeypatch.setattr(prove, "reason_of", lambda _fatal: "")
    by_name = {control.name: control for control in CONTROLS}
    for name in ("query_not_as_expected", "segment_flipped"):
        config = damaged(by_name[name], 1)
        assert met(history, by_name[name], 1, config, wanted) == "restored"
        history.restorer().discarded()
        shutil.rmtree(history.home / "copies")
