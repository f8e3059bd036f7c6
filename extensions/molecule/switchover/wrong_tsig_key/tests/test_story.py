# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An endpoint that could not be switched is known before anything is stopped."""

from __future__ import annotations

from collections.abc import Callable


def test_the_wrong_secret_is_named_and_nothing_else(refused: Callable[..., tuple[str, str]]) -> None:
    """The name of the key is known to the server; a key or record that it cannot read would be told otherwise."""
    assert refused("endpoint_problem", "accounts-db") == (
        "198.51.100.153 says the signature is wrong: the secret of key continuity. differs from the server's",
        "an endpoint that can be changed",
    )
