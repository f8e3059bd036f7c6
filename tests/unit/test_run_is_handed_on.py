# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every step that changes something names its run and epoch: else no member refuses a run that was overtaken."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROLES = Path(__file__).resolve().parents[2] / "roles"
WALK = ROLES / "service" / "tasks" / "_walk.yml"
#: What changes a member or an endpoint under a run, and the states in which it changes nothing.
CHANGES = {
    "continuity.dr.postgresql_member": (),
    "continuity.dr.systemd_fence": ("proven",),
    "continuity.dr.dns_switch": ("verified",),
    "continuity.dr.dns_claim": (),
    "continuity.dr.member_lease": (),
}
#: A machine that was just switched on holds no lease, and the database on it is only stopped.
WITHOUT_LEASE = ("fence_agent/release.yml", "continuity.dr.systemd_fence")
FAMILY = {
    "continuity.dr.postgresql_member": "engine",
    "continuity.dr.systemd_fence": "fence",
    "continuity.dr.dns_switch": "endpoint",
}


def tasks(given: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for task in given:
        yield task
        for part in ("block", "rescue", "always"):
            yield from tasks(task.get(part, []))


def loaded(path: Path) -> list[dict[str, Any]]:
    return list(tasks(yaml.safe_load(path.read_text(encoding="utf-8"))))


def changing() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path in sorted(ROLES.glob("*/tasks/*.yml")):
        place = f"{path.parts[-3]}/{path.name}"
        for task in loaded(path):
            for module, harmless in CHANGES.items():
                if module in task and task[module]["state"] not in harmless and (place, module) != WITHOUT_LEASE:
                    yield place, module, task[module]


STEPS = [pytest.param(module, given, id=f"{place}-{given['state']}") for place, module, given in changing()]


@pytest.mark.parametrize(("module", "given"), STEPS)
def test_a_step_that_changes_something_names_its_run_and_epoch(module: str, given: dict[str, Any]) -> None:
    if module in FAMILY:
        expected = {name: f"{{{{ {FAMILY[module]}_{name} | default(omit) }}}}" for name in ("run_id", "epoch")}
        assert {name: given.get(name) for name in expected} == expected
        return
    assert given["run_id"] == "{{ lease_run_id }}"
    claim = "{{ ansible_facts.continuity_claims[lease_endpoints[item].name].epoch }}"
    expected_epoch = "{{ lease_epoch }}" if module.endswith("member_lease") else claim
    if given["state"] == "claimed":
        assert given["minimum_epoch"] == "{{ lease_minimum_epoch }}"
        assert given["observed_epoch"] == "{{ lease_observed_epochs[lease_endpoints[item].name] | default(omit) }}"
    else:
        assert given["epoch"] == expected_epoch


def test_the_steps_were_found() -> None:
    """A renamed module must not turn the test above into one of nothing."""
    assert {module for _place, module, _given in changing()} == set(CHANGES)
    assert len(STEPS) >= 17


def test_the_walk_hands_every_family_its_run_and_the_epoch_of_its_leases() -> None:
    given = yaml.safe_load(WALK.read_text(encoding="utf-8"))[0]["vars"]
    for family in ("engine", "fence"):
        assert given[f"{family}_run_id"] == "{{ __service_walk.run_id }}"
        assert given[f"{family}_epoch"] == "{{ lease_epoch }}"


@pytest.mark.parametrize("name", ["_walk.yml", "_give_back.yml"])
def test_claims_and_leases_are_taken_above_every_epoch_that_was_seen(name: str) -> None:
    given = yaml.safe_load((WALK.parent / name).read_text(encoding="utf-8"))[0]["vars"]
    seen = "dict(__service_endpoints.keys() | zip(__service_endpoints.values() | map(attribute='epoch')))"
    claimed = "__service_claims.values() | map(attribute='epoch') | max"
    assert given["lease_run_id"] == "{{ __service_walk.run_id }}"
    assert given["lease_minimum_epoch"] == "{{ __service_walk.minimum_epoch }}"
    assert given["lease_observed_epochs"] == f"{{{{ {seen} }}}}"
    assert given["lease_epoch"] == f"{{{{ {claimed} | default(__service_walk.minimum_epoch + 1) }}}}"


def includes() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(WALK.parent.glob("*.yml")):
        for task in loaded(path):
            role = task.get("ansible.builtin.include_role")
            if role:
                yield role["tasks_from"], task.get("vars", {})


def test_every_change_of_an_endpoint_is_handed_the_run_and_the_epoch_of_its_own_claim() -> None:
    found = [(entry, given) for entry, given in includes() if "endpoint_value" in given and entry != "verify"]
    assert len(found) == 4
    for entry, given in found:
        assert given["endpoint_run_id"] == "{{ __service_walk.run_id }}", entry
        own = given["endpoint"].replace("{{ ", "").replace(" }}", "")
        assert given["endpoint_epoch"] == f"{{{{ __service_claims[{own}.name].epoch }}}}", entry


def test_nobody_below_the_walk_replaces_the_run_or_the_epoch() -> None:
    for entry, given in includes():
        assert not {f"{family}_{name}" for family in ("engine", "fence") for name in ("run_id", "epoch")} & set(
            given
        ), entry


def test_a_promotion_rests_on_the_stop_that_this_walk_proved() -> None:
    (promoted,) = [task["vars"] for task in loaded(WALK) if task.get("name") == "Promote the new primary"]
    assert promoted["engine_proof"] == "{{ __service_demoted }}"
    (step,) = [given for place, _module, given in changing() if place == "engine_postgresql/promote.yml"]
    assert step["proof_position"] == "{{ engine_proof.position | default(omit) }}"
    assert step["proof_timeline"] == "{{ engine_proof.timeline | default(omit) }}"


def test_the_gate_before_a_promotion_asks_for_every_member_that_must_not_serve() -> None:
    path = WALK.with_name("_fence.yml")
    (gate,) = [task["continuity.dr.fence_proof"] for task in loaded(path) if "continuity.dr.fence_proof" in task]
    assert gate["members"] == "{{ __service_walk.steps.fence }}"
    assert gate["min_level"] == "{{ __service_decision.min_level }}"
    assert gate["since"] == "{{ __service_walk.started }}"


def test_a_promotion_is_told_what_must_be_left_of_its_lease_since_the_gate() -> None:
    """Without a stop of its own: in a planned move that lies between, however long it takes."""
    (walked,) = [task["vars"] for task in loaded(WALK) if task.get("name") == "Promote the new primary"]
    left = "__service_gate.lease_left | default('', true) if __service_walk.steps.demote is none else ''"
    assert walked["engine_detached"] == "{{ __service_walk.steps.detached }}"
    assert walked["engine_lease_left"] == f"{{{{ {left} }}}}"
    (step,) = [given for place, _module, given in changing() if place == "engine_postgresql/promote.yml"]
    assert step["detached"] == "{{ engine_detached | default(false) }}"
    assert step["lease_left"] == "{{ engine_lease_left | default('', true) or omit }}"
    path = WALK.with_name("_fence.yml")
    (gate,) = [task["continuity.dr.fence_proof"] for task in loaded(path) if "continuity.dr.fence_proof" in task]
    held = "lease_held.results | selectattr('item', 'equalto', __service_walk.steps.promote)"
    assert gate["lease"] == f"{{{{ {held} | first | default(omit) }}}}"


def test_a_lease_ends_half_a_minute_before_the_claim_and_no_later_than_the_first_claim_that_ends() -> None:
    (taken,) = [given for place, module, given in changing() if place == "lease/acquire.yml" and "seconds" in given]
    first = "dict2items | map(attribute='value.usable_until') | min | default(omit)"
    assert taken["seconds"] == "{{ lease_seconds - 30 }}"
    assert taken["not_after"] == f"{{{{ ansible_facts.continuity_claims | default({{}}) | {first} }}}}"


@pytest.mark.parametrize("role", ["fence_agent", "fence_network"])
def test_a_fence_from_outside_which_meets_no_lease_ends_with_the_claim(role: str) -> None:
    walk = yaml.safe_load(WALK.read_text(encoding="utf-8"))[0]["vars"]
    assert (
        walk["fence_not_after"] == "{{ __service_claims.values() | map(attribute='usable_until') | min | default('') }}"
    )
    module = f"continuity.dr.{role}"
    (fenced,) = [task[module] for task in loaded(ROLES / role / "tasks" / "fence.yml") if module in task]
    assert fenced["not_after"] == "{{ fence_not_after | default(omit, true) }}"
