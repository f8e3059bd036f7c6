# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Negative controls: one drill, each time with one thing broken that it rests on. It must fail, and say why.

A matrix in which everything passes proves something only where the same procedures are seen to fail.
"""

from __future__ import annotations

import os
from pathlib import Path

from harness import FAULTS, Result, changed_plan, inside
from say import wait

from tests.faults.procedures.primary import serves_again
from tests.faults.trial import Seen, Trial, in_words, tail

DRILL = (f"fault={FAULTS}/primary_crashed.yml",)
NOTHING = "- name: Say yes and do nothing\n  ansible.builtin.debug: {msg: fenced}\n"


def ended(trial: Trial, result: Result, verdict: str, *words: str) -> Seen:
    """It ended with a non-zero code and this verdict, said why, and promoted nobody."""
    assert result.rc != 0, tail(result.output)
    assert result.report.get("verdict") == verdict, f"{result.report.get('verdict')}: {tail(result.output)}"
    assert (missing := result.missing(*words)) == [], f"it does not say {missing}: {tail(result.output)}"
    assert "db2" not in trial.writable()
    if trial.unit("db1", "LoadState") == "masked":  # fenced, and nobody was promoted: taken back by hand, as documented
        inside("db1", f"systemctl unmask --quiet {trial.cluster.unit} && systemctl start {trial.cluster.unit}")
    serves_again(trial)
    service = result.service(trial.service)
    rules = in_words(result.rules(trial.service))
    why = rules if verdict == "refused" else service["message"] or "; ".join(service["reasons"]) or rules
    assert why, f"its report gives no reason: {tail(result.output)}"
    return Seen(f"exit {result.rc}, {verdict}: {why}", True)


def drill(trial: Trial, plan: Path | None = None) -> Result:
    """The drill that every control runs."""
    return trial.watch.verb("drill", f"scope={trial.service}", *DRILL, plan=plan)


def promotion_disabled(trial: Trial) -> Seen:
    """PostgreSQL asks for a promotion by a file in its data directory: a link to nowhere cannot be written to.

    It must not be there for whoever looks, either: a standby that finds anything of that name promotes itself.
    """
    place = f"{trial.cluster.data_directories['db2']}/promote"
    inside("db2", f"ln -s /nonexistent/promote {place}")
    trial.undo(lambda: inside("db2", f"rm -f {place}"))
    return ended(trial, drill(trial), "failed", "promote")


def broken_fence(trial: Trial) -> Seen:
    """A fence of somebody else says yes and does nothing: nobody believes what was not read back."""
    tasks = trial.place / "roles" / "broken_fence" / "tasks"
    tasks.mkdir(parents=True)
    for entry in ("fence", "prove", "release"):
        (tasks / f"{entry}.yml").write_text(NOTHING, encoding="utf-8")
    os.environ["ANSIBLE_ROLES_PATH"] = str(trial.place / "roles")
    trial.undo(lambda: os.environ.pop("ANSIBLE_ROLES_PATH", None))
    plan = changed_plan(trial.place, ("continuity.dr.fence_systemd", "broken_fence"))
    return ended(trial, drill(trial, plan=plan), "failed", "db1 is not fenced")


def canary_cannot_write(trial: Trial) -> Seen:
    """Nothing would be measured, so nothing is broken."""
    plan = trial.plan({"services": {trial.service: {"canary": {"database": "nowhere"}}}})
    return ended(trial, drill(trial, plan=plan), "failed", "nowhere")


def replica_detached(trial: Trial) -> Seen:
    """The replica runs, answers, and receives nothing."""
    trial.sql("db2", "alter system set primary_conninfo = ''")
    trial.sql("db2", "select pg_reload_conf()")
    gone = "select count(*) from pg_stat_wal_receiver"
    wait("db2 receives no more", lambda: trial.sql("db2", gone) == "0", 20)
    return ended(trial, drill(trial), "refused", "not_streaming")
