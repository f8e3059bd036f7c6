# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every verb, every role that is used alone and every promised refusal has its story, and no story is half there."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
MOLECULE = ROOT / "extensions" / "molecule"
STORIES = sorted(str(path.parent.relative_to(MOLECULE)) for path in MOLECULE.glob("*/*/molecule.yml"))
ALONE = ("endpoint_rfc2136", "engine_postgresql", "fence_systemd")

#: What the verbs promise to refuse, or to leave alone, and the story that shows it.
PROMISED = {
    "unknown scope": "switchover/unknown_scope",
    "unknown site": "switchover/unknown_site",
    "target is primary already": "switchover/target_already_primary",
    "no replica": "switchover/no_replica",
    "replica of another cluster": "switchover/replica_of_another_cluster",
    "lag over the RPO": "failover/lag_over_rpo",
    "lag unknown": "failover/lag_unknown",
    "an RPO of zero on asynchronous replication": "switchover/standby_asynchronous",
    "a drill on a production plan": "drill/production_plan",
    "replay paused, planned": "switchover/replay_paused",
    "replay paused, unplanned": "failover/replay_paused",
    "old primary unreachable and unfenced": "failover/primary_unreachable",
    "wrong TSIG key": "switchover/wrong_tsig_key",
    "wrong zone": "switchover/wrong_zone",
    "record changed by somebody else meanwhile": "switchover/record_changed_meanwhile",
    "second run while one is under way": "switchover/second_run_under_way",
}


@pytest.mark.parametrize("verb", sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml")))
def test_every_verb_has_a_story(verb: str) -> None:
    assert [name for name in STORIES if name.startswith(f"{verb}/")]


@pytest.mark.parametrize("role", ALONE)
def test_every_role_that_is_used_alone_has_a_story_without_a_plan(role: str) -> None:
    story = yaml.safe_load((MOLECULE / role / "alone" / "molecule.yml").read_text(encoding="utf-8"))
    sources = [word for word in story["ansible"]["executor"]["args"]["ansible_playbook"] if "inventory" in word]
    assert [source.rpartition("/")[2] for source in sources] == ["hosts.yml"]


@pytest.mark.parametrize("name", PROMISED.values(), ids=PROMISED)
def test_every_promised_refusal_has_its_story(name: str) -> None:
    assert name in STORIES


@pytest.mark.parametrize("name", STORIES)
def test_a_story_is_whole(name: str) -> None:
    for file in ("prepare.yml", "converge.yml"):
        assert (MOLECULE / name / file).is_file(), file
    tests = list((MOLECULE / name / "tests").glob("test_*.py"))
    assert any("def test_" in path.read_text(encoding="utf-8") for path in tests)


@pytest.mark.parametrize("name", STORIES)
def test_a_story_proves_that_nothing_changed_where_nothing_may(name: str) -> None:
    """Each ends with a comparison, but for the one in which a run goes on that was begun before."""
    converge = (MOLECULE / name / "converge.yml").read_text(encoding="utf-8")
    assert "/changes_nothing.yml" in converge or "/unchanged.yml" in converge or "story.py, resume" in converge
