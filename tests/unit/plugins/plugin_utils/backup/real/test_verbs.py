# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The verbs backup and restore whole, with the collection's own roles, on a real server with a real pgBackRest."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

import pytest
import yaml
from backup_controls import DAMAGE
from real_verb import environment, inventory

DAMAGING = """
- name: Damage the copy, or bring it back
  delegate_to: localhost
  ansible.builtin.command:
    argv: [/bin/sh, -euc, "{{ scripts[control_action] }}"]
  changed_when: true
  vars:
    copy: "@HOME@/repo{{ __copy }}"
    scripts:
      inject: "copy={{ copy }}; cp -a $copy @HOME@/undamaged\\n{{ __control.damage }}"
      heal: "cp -a @HOME@/undamaged/. {{ copy }}/; rm -rf @HOME@/undamaged"
"""


@pytest.fixture
def verb(world, tmp_path, run_ansible):
    """`verb("restore", "restore_mode=drill", members=["db1"])`: exit code, output and the report."""
    (tmp_path / "damage.yml").write_text(DAMAGING.replace("@HOME@", str(world.home)))
    controls = yaml.safe_load(DAMAGE.read_text(encoding="utf-8"))["controls"]
    chosen = [each for each in controls if each["name"] in ("flipped_byte", "segment_missing")]
    (tmp_path / "controls.yml").write_text(yaml.safe_dump({"tasks": "damage.yml", "controls": chosen}))

    def run(name, *inputs, members=("db1", "db2"), rpo="1h"):
        queries = ["select count(*) = 200 from orders"]
        sources = inventory(world, tmp_path, members, rpo=rpo, verification=queries)
        extra = [word for each in ("scope=shop", *inputs) for word in ("-e", each)]
        done = run_ansible("playbook", f"continuity.dr.{name}", *sources, *extra, **environment(world, tmp_path))
        reports = sorted(tmp_path.glob("runs/*/report.json"), key=lambda path: path.stat().st_mtime)
        return done.returncode, done.stdout, json.loads(reports[-1].read_text()) if reports else None

    return run


def test_a_drill_of_a_copy_with_a_site_gone(world, verb, tmp_path):
    code, output, report = verb("backup")
    assert (code, output.count("changed: [shop -> db1")) == (0, 1), output
    assert verb("backup")[1].count("changed: [shop -> db1") == 0, "within its interval nothing is due"
    for _segment in range(4):
        world.write()
        world.archived()
    code, output, report = verb(
        "restore",
        "restore_mode=drill",
        "restore_on=db1",
        "repository=2",
        f"restore_controls={tmp_path / 'controls.yml'}",
        rpo=None,  # no canary tells how old the data is
    )
    assert code == 0, output
    assert [(each["copy"], each["checksums"]) for each in report["restores"]] == [(2, "on")]
    assert len(report["controls"]) == 7 and all(each["seen"] == each["expected"] for each in report["controls"])
    assert not (world.home / "restored").exists() and world.sql("select count(*) from canary") == [(4,)]
    world.maker().verified()  # all damage was taken back
    assert [bool(copy.proven) for copy in world.maker().ask().repositories] == [False, True]


def test_a_drill_that_cannot_tell_how_old_the_data_is_fails(world, verb):
    world.maker().present(plan_schedule())
    world.write()
    world.archived()
    code, output, report = verb("restore", "restore_mode=drill", "restore_on=db1", "repository=2")
    assert code == 2 and "not_measured: nobody knows how old the newest row of" in " ".join(output.split()), output
    assert report["verdict"] == "failed"


def test_in_place_is_refused_where_another_member_may_be_primary(world, verb):
    world.maker().present(plan_schedule())
    code, output, _report = verb("restore", "restore_mode=in_place", "confirm=shop")
    assert code == 2 and "other_primary_possible: db2" in " ".join(output.split()), output


def test_rows_of_a_bad_deploy_come_back_and_a_second_run_changes_nothing(world, verb):
    world.maker().present(plan_schedule())
    world.write()
    clean = time.time() + 1.2
    while time.time() < clean:
        world.sql("select pg_sleep(0.05)")
    target = f"restore_to={datetime.fromtimestamp(time.time(), tz=UTC).isoformat()}"
    world.sql("delete from orders where n > 100")
    world.archived()
    alone = {"members": ["db1"]}
    code, output, report = verb("restore", "restore_mode=in_place", target, **alone)
    assert code == 2 and report["services"][0]["verdict"] == "refused", output
    assert [each["rule"] for each in report["services"][0]["refusals"]] == ["not_confirmed"]
    assert world.sql("select count(*) from orders") == [(100,)]
    code, output, report = verb("restore", "restore_mode=in_place", target, "confirm=shop", **alone)
    assert (code, report["services"][0]["verdict"]) == (0, "passed"), output
    assert any("level 3 by restore" in each["text"] for each in report["services"][0]["evidence"]), report["services"][
        0
    ]
    assert world.sql("select count(*) from orders") == [(200,)]
    assert [copy.newest.timeline for copy in world.maker().ask().repositories] == [2, 2]
    record = json.loads((world.state / "shop" / "promotion").read_text())
    assert (record["record"]["member"], record["server"]["timeline"]) == ("db1", 2)
    assert not (world.state / "shop" / "lease").exists(), "the lease was given back"
    code, output, report = verb("restore", "restore_mode=in_place", target, "confirm=shop", **alone)
    assert code == 0 and "changed=0" in output.partition("PLAY RECAP")[2].partition("shop ")[2], output


def plan_schedule():
    """What is due where nothing is there."""
    from ansible_collections.continuity.dr.plugins.plugin_utils.core.backups import Schedule

    return Schedule(86400)
