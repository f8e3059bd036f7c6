# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from ansible_collections.continuity.dr.plugins.plugin_utils.plan.depends import service_dependencies


def test_a_service_depends_on_the_services_of_the_functions_below_its_own():
    functions = {"pay": {"depends_on": ["acc", "mail"]}, "acc": {}, "mail": {}}
    services = {
        "pay-db": {"function": "pay", "depends_on": ["pay-cache"]},
        "pay-cache": {"function": "pay"},
        "acc-db": {"function": "acc"},
        "acc-web": {"function": "acc", "depends_on": ["acc-db", "unknown"]},
    }
    assert service_dependencies(functions, services) == {
        "pay-db": ["pay-cache", "acc-db", "acc-web"],
        "pay-cache": ["acc-db", "acc-web"],
        "acc-db": [],
        "acc-web": ["acc-db"],
    }


def test_a_function_without_services_passes_on_what_it_depends_on():
    functions = {
        "a": {"depends_on": ["b"]},
        "b": {"depends_on": ["c", "d"]},
        "c": {"depends_on": ["e"]},
        "d": {},
        "e": {},
    }
    services = {"a1": {"function": "a"}, "d1": {"function": "d"}, "e1": {"function": "e"}}
    assert service_dependencies(functions, services)["a1"] == ["e1", "d1"]


def test_a_long_chain_of_functions_does_not_exhaust_the_stack():
    functions = {f"f{number}": {"depends_on": [f"f{number + 1}"]} for number in range(5000)} | {"f5000": {}}
    services = {"first": {"function": "f0"}, "last": {"function": "f5000"}}
    assert service_dependencies(functions, services) == {"first": ["last"], "last": []}


def test_wrong_shapes_raise_nothing():
    assert service_dependencies({"a": {"depends_on": "b"}}, {"x": {"function": 5, "depends_on": "y"}}) == {"x": []}
