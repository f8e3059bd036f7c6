# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Take secrets out of data before it is written, and make the data plain JSON on the way."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import math
import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

MASK = "********"

# A name is secret by what it contains ("tsig_key_secret", "PGPASSWORD"); "key" alone only when it holds text,
# because a mapping under it ({name, algorithm, secret}) says which key was used, and that is worth reading.
_SECRET_NAME = re.compile(r"secret|password|passwd|passphrase|token|credential|private_?key|api_?key")
_ASSIGNED = re.compile(
    r"""(?ix) ( \b \w* (?: password | passwd | passphrase | secret | token ) \s* = \s* )
        (?: '[^']*' | "[^"]*" | [^\s'",;&]+ )"""
)
_QUOTED = re.compile(
    r"""(?ix) ( "\w* (?: password | passwd | passphrase | secret | token ) "\s*:\s* ) "(?: [^"\\] | \\. )*" """
)
_IN_URL = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://[^\s:/@]+:)[^\s@/]+@")


def mask(value: Any) -> Any:
    """Return a copy of `value` made of plain JSON types, with every secret replaced by ``********``.

    Secret is: what stands under a key that is named like a secret (booleans and null stay: they are facts about
    a secret, not the secret), and inside text `password=...`, `"password": "..."` and `scheme://user:...@host`.
    Numbers that JSON cannot carry (NaN, infinity) become null: unknown, not a guess.

    Example: ``mask({"key": {"name": "k", "secret": "s3"}}) == {"key": {"name": "k", "secret": "********"}}``
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, enum.Enum):
        return mask(value.value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _under(str(key), item) for key, item in value.items()}
    if isinstance(value, (list, tuple, AbstractSet)):
        items = sorted(value, key=str) if isinstance(value, AbstractSet) else value
        return [mask(item) for item in items]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _under(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat()
    if isinstance(value, bytes):
        return _text(value.decode("utf-8", "replace"))
    return _text(str(value))


def _under(key: str, value: Any) -> Any:
    """Mask what stands under `key`."""
    if value is None or isinstance(value, bool):
        return value
    name = re.sub(r"[^a-z0-9]+", "_", key.lower())
    if _SECRET_NAME.search(name):
        return MASK
    if (name == "key" or name.endswith("_key")) and isinstance(value, (str, bytes)):
        return MASK
    return mask(value)


def _text(text: str) -> str:
    """Mask assignments, quoted JSON pairs and credentials in addresses inside a text."""
    text = _QUOTED.sub(rf'\g<1>"{MASK}"', text)
    text = _ASSIGNED.sub(rf"\g<1>{MASK}", text)
    return _IN_URL.sub(rf"\g<1>{MASK}@", text)
