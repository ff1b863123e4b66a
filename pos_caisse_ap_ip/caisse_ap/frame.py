"""Frames: fields on the wire and back.

A frame is a run of fields, each a TAG (2 letters), a LEN (3 digits) and a VALUE of LEN characters. There is
no header, no total length and no terminator, so a frame that was cut between two fields looks whole.
Source: protocols/caisse_ap.md, 1.
"""

import re

from .errors import ProtocolError

LIMIT = 65536  # bytes: two receipts are about 1500, so this is only there to stop a flood
LONGEST = 999  # characters: what three digits can say
HEADER = 5
_TAG = re.compile(r"[A-Z]{2}", re.ASCII)
_HEADER = re.compile(rb"[A-Z]{1,2}|[A-Z]{2}[0-9]{1,3}")  # as much of a header as has come
_LINE_ENDS = b"\r\n"
_SIGNS = bytes([*range(0x21), 0x7F])  # ACK, ENQ, line ends: signs of life, and nothing that anybody says
_ACCEPTED = {"11"}


def pairs_of(fields):
    """`fields` (any iterable of two strings each) as a list of tuples; ProtocolError code "fields"."""
    try:
        pairs = [tuple(pair) if isinstance(pair, list | tuple) else () for pair in fields]
    except TypeError:
        pairs = [()]
    if any(len(pair) != 2 or not all(isinstance(part, str) for part in pair) for pair in pairs):
        raise ProtocolError("Fields are pairs of strings: tag and value.", code="fields")
    return pairs


def encode(fields):
    """The bytes of `fields`, an iterable of (tag, value) pairs of str, in their order.

    ProtocolError code "tag" (not two letters A-Z), "length" (not 1 to 999 characters) or "charset" (not
    latin-1). That CZ stands first is the business of `request.build`: nested values have no CZ.
    """
    return b"".join(_encoded(tag, value) for tag, value in pairs_of(fields))


def _encoded(tag, value):
    if not _TAG.fullmatch(tag):
        raise ProtocolError("A tag is two upper-case letters.", code="tag")
    if not 1 <= len(value) <= LONGEST:
        raise ProtocolError(
            f"A value of {tag} has 1 to {LONGEST} characters, not {len(value)}.", tag, "length"
        )
    try:
        return f"{tag}{len(value):03d}{value}".encode("latin-1")
    except UnicodeEncodeError:
        # the cause would show the value in a traceback
        raise ProtocolError(f"The value of {tag} is not latin-1.", tag, "charset") from None


def decode(data):
    """The fields of a whole nested value or frame (bytes), as a list of (tag, value) in order.

    CR and LF after the last field are ignored. ProtocolError code "type", "header" or "truncated".
    """
    if not isinstance(data, bytes | bytearray):
        raise ProtocolError("A nested value is bytes.", code="type")
    fields, at = [], 0
    while at < len(data) and not _is_tail(data, at, fields):
        found = _field_at(data, at)
        if found is None:
            raise ProtocolError(f"The field at byte {at} is cut.", code="truncated")
        tag, value, at = found
        fields.append((tag, value))
    return fields


def _is_tail(data, at, fields):
    """Whether only line ends are left. The first byte is looked at first: this runs once for each field."""
    return bool(fields) and data[at] in _LINE_ENDS and not data[at:].strip(_LINE_ENDS)


def _field_at(buffer, at):
    """(tag, value, next position), or None while bytes are missing. ProtocolError code "header".

    LEN 000 must not be sent, but a terminal that has no amount to tell on a failure may say CB000: refusing
    it would make a clear "not performed" an unknown. Every byte is a latin-1 character, so no value raises.
    """
    header = bytes(buffer[at : at + HEADER])
    if not _HEADER.fullmatch(header):
        raise ProtocolError(f"No field starts at byte {at}.", code="header")
    if len(header) < HEADER:
        return None
    start = at + HEADER
    end = start + int(header[2:])
    if len(buffer) < end:
        return None
    return header[:2].decode("ascii"), buffer[start:end].decode("latin-1"), end


class Decoder:
    """Reads one answer from bytes that come in any pieces, in linear time.

    What comes before the first CZ is skipped. Line ends after a frame that holds AE are ignored, and then
    nothing else may follow, except that a frame that only says "taken into account" (AE=11) may be followed
    by one that says how it ended: the last one counts. Whatever the pieces, the result is that of one piece.

    limit  bytes, all counted, those that are skipped as well
    """

    def __init__(self, limit=LIMIT):
        self._limit = limit
        self._buffer = bytearray()
        self._at = 0
        self._fields = []
        self._receipt = []  # fields of the frame before that said no more than "taken into account"
        self._statuses = set()
        self._error = None
        self._started = self._ended = self._noise = False

    @property
    def fields(self):
        """A new list of (tag, value) read so far, in order, repeated and unknown tags kept."""
        return list(self._fields or self._receipt)

    @property
    def on_boundary(self):
        """Whether a field was read and no byte of a further one is waiting; never after an error."""
        return self._error is None and bool(self.fields) and self._at == len(self._buffer)

    @property
    def complete(self):
        """Whether this can be the whole answer: on a boundary, and AE seen.

        More may still come (AE may be the third field), so wait for a short silence or the end of the stream.
        """
        return self.on_boundary and (bool(self._statuses) or not self._fields)

    @property
    def accepted(self):
        """Whether nothing was said yet but "taken into account" (AE=11): how it ended may follow."""
        return self._statuses == _ACCEPTED or bool(self._receipt and not self._fields)

    @property
    def noise(self):
        """Whether something else than signs of life came before the first frame."""
        return self._noise

    def receive(self, data):
        """Take the next bytes (any number). None.

        ProtocolError code "header", "trailing", "limit" or "type". After that the decoder stays broken: bytes
        behind an error cannot be trusted, and every further call raises the same again.
        """
        if self._error is None:
            self._error = self._take(data)
        if self._error is not None:
            raise ProtocolError(*self._error)

    def _take(self, data):
        """None, or the arguments of the error."""
        if not isinstance(data, bytes | bytearray):
            return "What is received is bytes.", "", "type"
        room = max(0, self._limit - len(self._buffer))
        # what fits is read first: otherwise the fields would depend on how the bytes were cut
        self._buffer += data[:room]
        try:
            while self._at < len(self._buffer) and self._step():
                pass
        except ProtocolError as error:
            return error.message, error.field, error.code
        if len(data) > room:
            return f"The answer is longer than {self._limit} bytes.", "", "limit"
        return None

    def _step(self):
        """Go one field, one line end or the junk in front further; False when bytes are missing."""
        if not self._started:
            return self._skip_junk()
        if self._statuses and self._buffer[self._at] in _LINE_ENDS:
            self._ended = True
            self._at += 1
            return True
        try:
            found = self._next_field()
        except ProtocolError:
            if self._statuses != _ACCEPTED:
                raise
            self._await_outcome(started=False)
            return True
        if found is None:
            return False
        self._keep(*found)
        return True

    def _next_field(self):
        if self._ended:
            raise ProtocolError(f"Byte {self._at} comes after the end of the frame.", code="trailing")
        return _field_at(self._buffer, self._at)

    def _keep(self, tag, value, at):
        if tag == "CZ" and self._statuses == _ACCEPTED:
            self._await_outcome(started=True)
        self._at = at
        self._fields.append((tag, value))
        if tag == "AE":
            self._statuses.add(value)

    def _await_outcome(self, started):
        """What was read is a receipt; the next frame begins here, or behind what has to be skipped."""
        self._receipt, self._fields, self._statuses = self._fields, [], set()
        self._ended, self._started = False, started

    def _skip_junk(self):
        found = self._buffer.find(b"CZ", self._at)
        self._started = found >= 0
        # a C at the end may be the first half of CZ
        end = found if self._started else len(self._buffer) - self._buffer.endswith(b"C")
        if not self._receipt and self._buffer[self._at : end].translate(None, _SIGNS):
            self._noise = True
        self._at = end
        return self._started
