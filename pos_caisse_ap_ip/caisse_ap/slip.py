"""Slips in HTML as plain text. What the terminal sends is never shown as HTML to anybody.

Source: protocols/caisse_ap.md, 2 (CK, AK).
"""

import re
from html.parser import HTMLParser

_BLOCKS = frozenset("br p div tr li ul ol table pre hr center section h1 h2 h3 h4 h5 h6".split())
_UNSEEN = frozenset("head style script title template".split())
_SPACES = re.compile(r"[ \t\r\n\f\v\xa0]+")
_GAPS = re.compile(r"\n{3,}")


class _Reader(HTMLParser):
    """Collects what a browser would show: one line for each block, spaces kept within <pre> only."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.parts, self.unseen, self.kept = [], 0, 0

    def handle_starttag(self, tag, attrs):
        """Begin a line; a <head> and its like are not shown."""
        self._block(tag, 1)

    def handle_startendtag(self, tag, attrs):
        """<br/>: nothing is inside."""
        self._block(tag, 0)

    def handle_endtag(self, tag):
        """End a line."""
        self._block(tag, -1)

    def _block(self, tag, depth):
        if tag in _UNSEEN:
            self.unseen = max(0, self.unseen + depth)
        if tag == "pre":
            self.kept = max(0, self.kept + depth)
        if tag == "br" or (tag in _BLOCKS and not self._at_start()):
            self.parts.append("\n")
        elif tag in ("td", "th") and depth > 0 and not self._at_start():
            self.parts.append(" ")

    def handle_data(self, data):
        """Keep what is shown."""
        if self.unseen:
            return
        text = data if self.kept else _SPACES.sub(" ", data)
        if not self.kept and self._at_start():
            text = text.lstrip(" ")
        if text:
            self.parts.append(text)

    def _at_start(self):
        return not self.parts or self.parts[-1].endswith("\n")


def text_of(html):
    """The text (str) of some HTML (str), whatever it is; never raises.

    It is text: what looks like a tag in it was written as characters and is none.
    """
    reader = _Reader()
    try:
        reader.feed(html)
        reader.close()
    except AssertionError:  # the library's word for a declaration that it cannot read
        reader.parts.append(re.sub(r"<[^>]*>?", "\n", reader.rawdata))
    lines = [line.rstrip() for line in "".join(reader.parts).split("\n")]
    return _GAPS.sub("\n\n", "\n".join(lines)).strip("\n")
