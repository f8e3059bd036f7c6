# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Real name servers, started once for the whole session."""

from __future__ import annotations

from collections.abc import Iterator

import dns_named
import pytest


@pytest.fixture(scope="session")
def name_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dns_named.NameServers]:
    """A BIND primary, a secondary that follows it and one that does not."""
    with dns_named.NameServers(tmp_path_factory.mktemp("named")) as servers:
        yield servers
