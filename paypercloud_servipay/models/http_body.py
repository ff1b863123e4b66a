"""The body of an HTTP answer, read within a limit: what a server packs into two kilobytes may be a gigabyte.

We ask for no compression. Whoever compresses all the same is read through one layer, unpacked up to the limit
and no further; two layers, or a way we do not know, are refused unread.
"""

import zlib

CHUNK = 16384
# wbits of zlib; "deflate" is zlib's own format, and some servers send it without its head
_WAYS = {"gzip": (31,), "x-gzip": (31,), "deflate": (15, -15)}


class UnreadableBody(Exception):
    """An answer came, and its body cannot be read: nothing is known of what was asked."""


def read_body(answer, limit):
    """Return the body (bytes) of a streamed ``requests`` answer; UnreadableBody beyond ``limit`` bytes."""
    chunks, size = [], 0
    # raw: ``requests`` unpacks all layers first, and only then lets us count
    while chunk := answer.raw.read(CHUNK, decode_content=False):
        chunks.append(chunk)
        size += len(chunk)
        if size > limit:
            raise UnreadableBody(f"the answer is larger than {limit} bytes")
    return _unpacked(b"".join(chunks), answer.headers.get("Content-Encoding", ""), limit)


def _unpacked(body, encoding, limit):
    layers = [name.strip().lower() for name in encoding.split(",")]
    layers = [name for name in layers if name not in ("", "identity")]
    if not layers or not body:
        return body
    if len(layers) > 1 or layers[0] not in _WAYS:
        raise UnreadableBody(f"the answer is compressed in a way that was not asked for: {encoding[:50]}")
    ways = _WAYS[layers[0]]
    for bits in ways:
        decoder = zlib.decompressobj(bits)
        try:
            plain = decoder.decompress(body, limit + 1)
        except zlib.error:
            continue
        if len(plain) > limit:
            raise UnreadableBody(f"the answer is larger than {limit} bytes when it is unpacked")
        if decoder.eof and not decoder.unused_data:
            return plain
    raise UnreadableBody(f"the answer cannot be unpacked ({layers[0]})")
