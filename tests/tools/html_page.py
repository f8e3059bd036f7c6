# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A page taken apart with the standard library, for tests that hold it against what it was made from."""

from __future__ import annotations

import re
from html.parser import HTMLParser

INLINE = frozenset({"a", "bdi", "code", "data", "span", "strong", "time"})
VOID = frozenset({"meta", "link", "br", "img", "hr", "input"})


class Page(HTMLParser):
    """`elements`: every element as (tag, attributes); `fields`: every marked value as (path, attributes, text);
    `loose`: the text outside of marked values, drawings and styles; `broken`: end tags that close nothing."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.fields, self.broken = [], [], []
        self.loose = self.text = ""
        self.open = []
        self.feed(text)
        self.close()
        self.broken += [tag for tag, _attributes, _parts in self.open]

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append((tag, dict(attrs), []))

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in INLINE:
            self.text += " "
        if not self.open or self.open[-1][0] != tag:
            self.broken.append(tag)
            return
        _tag, attributes, parts = self.open.pop()
        if "data-field" in attributes:
            self.fields.append((attributes["data-field"], attributes, "".join(parts).strip()))

    def handle_data(self, data):
        for _tag, _attributes, parts in self.open:
            parts.append(data)
        tags = {tag for tag, _attributes, _parts in self.open}
        if not tags & {"svg", "style", "title"}:
            self.text += data
            if not any(set(a) & {"data-field", "data-verdict"} for _tag, a, _parts in self.open):
                self.loose += data

    def all(self, tag):
        """The attributes of every element of this name."""
        return [attributes for name, attributes in self.elements if name == tag]


def squeezed(text):
    """Text as a browser shows it: runs of plain white space are one space."""
    return re.sub(r"[ \n\t]+", " ", text).strip()


class Tables(HTMLParser):
    """`rows`: every row of every table as {heading: text}, a cell that spans rows or columns in each of them."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.headings, self.row, self.below = [], [], None, {}
        self.cell = None
        self.head = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        if tag == "table":
            self.headings, self.below = [], {}
        elif tag == "thead":
            self.head = True
        elif tag == "tr":
            self.row = []
        elif tag in ("td", "th"):
            self.cell = (dict(attrs), [])

    def handle_data(self, data):
        if self.cell:
            self.cell[1].append(data)

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            attributes, parts = self.cell
            self.cell = None
            while len(self.row) in self.below:
                self.row.append(self.below.pop(len(self.row)))
            for _column in range(int(attributes.get("colspan", 1))):
                if int(attributes.get("rowspan", 1)) > 1:
                    self.below[len(self.row)] = squeezed("".join(parts))
                self.row.append(squeezed("".join(parts)))
        elif tag == "tr" and self.head:
            self.headings = self.row
        elif tag == "thead":
            self.head = False
        elif tag == "tr":
            self.rows.append(dict(zip(self.headings, self.row, strict=True)))
