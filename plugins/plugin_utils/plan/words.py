# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plain words of YAML that people, editors and YAML's own versions read differently, and what to write instead.

`port: 05432` is 2842 to Ansible's YAML and 5432 to a person, `no` is false, `10:30` is 630. A plan holds none of them.
"""

from __future__ import annotations

import re

VAULT_MARK = "$ANSIBLE_VAULT;"

_PLAIN_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)", re.ASCII)
_PLAIN_FRACTION = re.compile(
    r"-?(?:0|[1-9][0-9]*)\.[0-9]+(?:[eE][+-]?[0-9]+)?|[+-]?\.(?:inf|nan)", re.ASCII | re.IGNORECASE
)
_TRUTH = ("true", "false")


def misread(word: str, value: object) -> str | None:
    """What is wrong with a plain `word` that YAML reads as `value`, or None; worded for behind the field's path.

    `misread("012", 10)` is `"012" is read as another number; allowed: ...`. Only the word itself may be shown: the
    caller takes it out where it may be a secret.
    """
    if isinstance(value, bool):
        read_as = str(value).lower()
        if word.lower() in _TRUTH:
            return None
        return f'"{word}" is read as {read_as}; allowed: true or false, or the word in quotes'
    if isinstance(value, int):
        if _PLAIN_NUMBER.fullmatch(word):
            return None
        return f'"{word}" is read as another number; allowed: decimal digits without leading zeros, or quotes around it'
    if isinstance(value, float) and not _PLAIN_FRACTION.fullmatch(word):
        return f'"{word}" is read as another number; allowed: a number such as 1.5, or quotes around it'
    return None


def badly_sealed(text: str, tagged: bool) -> str | None:
    """What is wrong with a text that is or should be vaulted, or None. The text itself is never shown."""
    marked = text.lstrip().startswith(VAULT_MARK)
    if tagged and not marked:
        return (
            f"the value (not shown) has the tag !vault and is no vaulted text; allowed: what begins with {VAULT_MARK}"
        )
    if marked and not tagged:
        return "the value (not shown) is vaulted text without the tag !vault; allowed: !vault | before it"
    return None


def advice(problem: str, line: str, column: int, understood: bool) -> str:
    """What to do about a place where reading ended, or nothing. `line`: the text of that line, never shown.

    `understood`: it was YAML, so it is not its quotes that are missing.
    """
    before = line[: len(line) - len(line.lstrip())]
    there, value = (
        line[column : column + 1],
        line.partition(": ")[2].lstrip() or line.lstrip().removeprefix("- ").lstrip(),
    )
    if "\t" in before:
        return "; allowed: spaces before a key, no tab"
    if "{{" in line or "{%" in line:
        return '; allowed: quotes around a template, "{{ ... }}"'
    if understood:
        return ""
    for first in (there, value[:1]):
        if first and first in "*&@`%!|>":
            return f'; allowed: quotes around text that begins with "{first}"'
    if "mapping values" in problem:
        return '; allowed: quotes around text that holds ": "'
    return ""
