# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.continuity.dr.plugins.plugin_utils.core.durations import (
    UNITS,
    DurationError,
    format_duration,
    parse_duration,
)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("0s", 0.0), ("90s", 90.0), ("15m", 900.0), ("4h", 14400.0), ("7d", 604800.0), ("1.5h", 5400.0), ("0.5s", 0.5)],
)
def test_parse(written, seconds):
    assert parse_duration(written) == seconds
    assert isinstance(parse_duration(written), float)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("30", 'rpo "30": give a unit, for example 30s, 5m'),
        (30, 'rpo "30": give a unit, for example 30s, 5m'),
        (0, 'rpo "0": give a unit, for example 0s, 5m'),
        (2.5, 'rpo "2.5": give a unit, for example 2.5s, 5m'),
        ("-5s", 'rpo "-5s": must not be negative; allowed: '),
        (-5, 'rpo "-5": must not be negative; allowed: '),
        ("30 minutes", 'rpo "30 minutes": write it as 30m; allowed: '),
        ("2 Hours", 'rpo "2 Hours": write it as 2h; allowed: '),
        ("15M", 'rpo "15M": write it as 15m; allowed: '),
        ("500ms", 'rpo "500ms": is not a duration; allowed: '),
        ("2months", 'rpo "2months": is not a duration; allowed: '),
        (float("nan"), 'rpo "nan": is not a duration; allowed: '),
        ("nans", 'rpo "nans": is not a duration; allowed: '),
        ("infd", 'rpo "infd": is not a duration; allowed: '),
        (True, 'rpo "True": is not a duration; allowed: '),
        (None, 'rpo "None": is not a duration; allowed: '),
        ("", 'rpo "": is not a duration; allowed: '),
        ("5m ", 'rpo "5m ": write it as 5m; allowed: '),
        ("5m\n", 'rpo "5m\n": write it as 5m; allowed: '),
        ("1h30m", 'rpo "1h30m": is not a duration; allowed: '),
        ("٣s", 'rpo "٣s": is not a duration; allowed: '),
        ("99999999d", 'rpo "99999999d": is longer than a hundred years; allowed: '),
        ("1" + "0" * 400 + "d", ": is longer than a hundred years"),
        ([], 'rpo "[]": is not a duration; allowed: '),
    ],
)
def test_refused(value, text):
    with pytest.raises(DurationError) as caught:
        parse_duration(value, "rpo")
    assert text in str(caught.value)
    assert caught.value.field == "rpo"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (-0.001, "0s"),
        (0.004, "0s"),
        (0.18, "0.18s"),
        (2.4, "2.4s"),
        (59.99, "59.99s"),
        (59.999, "1m"),
        (60, "1m"),
        (90, "1m 30s"),
        (3600, "1h"),
        (3599.7, "1h"),
        (14400, "4h"),
        (93784, "1d 2h"),
        (86405, "1d"),
        (-90, "-1m 30s"),
    ],
)
def test_format(seconds, text):
    assert format_duration(seconds) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_format_refuses_what_is_no_time(value):
    with pytest.raises(ValueError, match="not a duration"):
        format_duration(value)


@given(st.integers(0, 36500), st.sampled_from(sorted(UNITS)))
def test_every_written_duration_is_read(number, unit):
    assert parse_duration(f"{number}{unit}") == number * UNITS[unit]


@given(st.floats(0, 3.0e9))
def test_what_people_read_is_close_to_what_was_measured(seconds):
    read = sum(parse_duration(part) for part in format_duration(seconds).split())
    smallest = UNITS[format_duration(seconds)[-1]]
    largest = UNITS[format_duration(seconds).split()[0][-1]]
    dropped = {86400: 3600, 3600: 60, 60: 1, 1: 0.01}[largest]  # two units at most: the third is left out
    assert abs(read - seconds) <= dropped, (seconds, smallest)


@given(st.one_of(st.text(), st.integers(), st.floats(allow_nan=True), st.booleans(), st.none()))
def test_any_value_is_a_duration_or_a_clear_error(value):
    try:
        assert parse_duration(value, "rto") >= 0
    except DurationError as error:
        assert str(error).startswith('rto "')
