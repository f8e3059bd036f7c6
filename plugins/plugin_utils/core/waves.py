# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Dependency waves: what can be handled at the same time, and in which order.

A graph is a mapping of each name to the names it depends on. Names that are depended on but are no key of the
mapping are ignored: they lie outside the question that is asked, or were refused elsewhere.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping

Graph = Mapping[str, Collection[str]]

MOST_CYCLES = 20  # a plan with more is not read by anyone; the search must end


class CycleError(ValueError):
    """The graph has cycles. `cycles` holds each as a closed path `["a", "b", "a"]`; `str()` reads `a -> b -> a`."""

    def __init__(self, found: list[list[str]]) -> None:
        self.cycles = found
        super().__init__("; ".join(" -> ".join(cycle) for cycle in found))


def waves(depends_on: Graph) -> list[list[str]]:
    """Names grouped into waves: every name stands in a later wave than everything it depends on, and as early as
    it can. Within a wave the order of the mapping is kept, so the same plan always gives the same order.

    `waves({"payments": ["accounts"], "accounts": []})` is `[["accounts"], ["payments"]]`.
    Raises CycleError.
    """
    level = _levels(depends_on)
    if len(level) < len(depends_on):
        raise CycleError(cycles(depends_on))
    result: list[list[str]] = [[] for _unused in range(max(level.values(), default=0))]
    for name in depends_on:
        result[level[name] - 1].append(name)
    return result


def cycles(depends_on: Graph) -> list[list[str]]:
    """Closed paths that share no name, at least one for every knot of the graph (at most MOST_CYCLES); empty when
    there is none. Each is the shortest through its first name.

    `cycles({"a": ["b"], "b": ["a"]})` is `[["a", "b", "a"]]`.
    """
    level = _levels(depends_on)
    left = {name: depends_on[name] for name in depends_on if name not in level}
    found: list[list[str]] = []
    for name in list(left):
        loop = _shortest_loop(left, name) if name in left else []
        left.pop(name, None)
        for other in loop:
            left.pop(other, None)
        if loop:
            found.append(loop)
        if len(found) == MOST_CYCLES:
            break
    return found


def _levels(depends_on: Graph) -> dict[str, int]:
    """The wave (from 1) of every name that is not part of a cycle and does not depend on one."""
    missing = {name: {other for other in others if other in depends_on} for name, others in depends_on.items()}
    dependants: dict[str, list[str]] = {name: [] for name in depends_on}
    for name, others in missing.items():
        for other in others:
            dependants[other].append(name)
    level = {name: 1 for name, others in missing.items() if not others}
    ready = deque(level)
    while ready:
        done = ready.popleft()
        for name in dependants[done]:
            missing[name].discard(done)
            if not missing[name]:  # the last of them to be ready has the highest level: the queue is in level order
                level[name] = level[done] + 1
                ready.append(name)
    return level


def _shortest_loop(depends_on: Graph, start: str) -> list[str]:
    """The shortest closed path through `start`, breadth first; empty when there is none."""
    came_from: dict[str, str] = {}
    queue = deque([start])
    while queue:
        name = queue.popleft()
        for other in depends_on[name]:
            if other == start:
                path = [start]
                while name != start:
                    path.append(name)
                    name = came_from[name]
                return [start, *reversed(path)]
            if other in depends_on and other not in came_from:
                came_from[other] = name
                queue.append(other)
    return []
