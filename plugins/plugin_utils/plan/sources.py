# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Why no plan came out of the inventory sources.

Ansible only warns about a source that it could not read, often with another parser's words, and goes on without it. So
where no plan was loaded, the files that look like one are read here, and the run ends with what is wrong with them.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence

from ansible_collections.continuity.dr.plugins.plugin_utils.plan import load_plan
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.names import finding, hint
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.read import LARGEST_BYTES, PlanReadError, read_plan
from ansible_collections.continuity.dr.plugins.plugin_utils.plan.words import VAULT_MARK

PLUGIN = "continuity.dr.plan"
ENDINGS = (".yml", ".yaml")

IS_PLAN = re.compile(r"""^\ufeff?[{\s]*["']?plugin["']?\s*:\s*["']?continuity\.dr\.plan\b""", re.MULTILINE)
_SECTION = re.compile(r"^\ufeff?(plugin|plan|sites|functions|services)[ \t]*:", re.MULTILINE)
_SECTIONS_OF_A_PLAN = 3  # this many of the five, and it was meant to be one


def source_findings(sources: Sequence[str]) -> list[str]:
    """What is wrong with each inventory source that was to be a plan. `sources`: as given with `-i`."""
    return [text for source in sources if "," not in source for text in _source(source)]


def readable_file(path: str) -> str | None:
    """What keeps a file from being read whole, or None. A pipe or a device would never end."""
    try:
        found = os.stat(path)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if not stat.S_ISREG(found.st_mode):
        return "is no regular file"
    if found.st_size > LARGEST_BYTES:
        return f"has {found.st_size} bytes; allowed: at most {LARGEST_BYTES}"
    return None if os.access(path, os.R_OK) else "cannot be read: Permission denied"


def text_of(path: str) -> str:
    """The text of a readable file, also where its encoding is wrong: enough to see what it was meant to be."""
    with open(path, "rb") as file:
        data = file.read()
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    return data.decode("utf-8", "replace")


def _source(source: str) -> Iterator[str]:
    if os.path.isdir(source):
        names = sorted(name for name in os.listdir(source) if name.endswith(ENDINGS))
        for name in names:
            yield from _plan_file(os.path.join(source, name), given=False)
    elif os.path.lexists(source):
        yield from _plan_file(source, given=True)
    else:
        folder, name = os.path.split(source)
        others = os.listdir(folder or ".") if os.path.isdir(folder or ".") else []
        yield finding(source, f"there is no such file{hint(name, others)}", "the path of a plan")


def _plan_file(path: str, given: bool) -> Iterator[str]:
    problem = readable_file(path)
    if problem:
        if given:
            yield finding(path, problem)
        return
    text = text_of(path)
    if text.startswith(VAULT_MARK):
        if given:
            wrong = "is encrypted. If it is the plan, its password was not given or is another one"
            yield finding(path, wrong, "--ask-vault-pass, --vault-password-file")
        return
    if not IS_PLAN.search(text) and len(set(_SECTION.findall(text))) < _SECTIONS_OF_A_PLAN:
        return
    if not path.endswith(ENDINGS):
        yield finding(path, "looks like a plan, but not by its name", "a name that ends in .yml or .yaml")
        return
    yield from _errors_of(path) or [
        finding(path, f"is a correct plan that no inventory plugin has read; enable auto or {PLUGIN} in ansible.cfg")
    ]


def _errors_of(path: str) -> list[str]:
    with open(path, "rb") as file:
        data = file.read()
    try:
        plan, errors = read_plan(data)
    except PlanReadError as error:
        return [finding(path, str(error))]
    return [f"{path}: {text}" for text in load_plan(plan, errors).errors]
