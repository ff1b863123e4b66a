"""What an error of the network says to people, in our own words: ``servipay.sentence`` translates them."""

import errno
import socket

CLOSED = "the connection was closed before an answer came"
NO_WAY = "no way leads to that address from this server"
WORDS = {
    errno.ECONNREFUSED: "nobody listens at that address and port",
    errno.ECONNRESET: CLOSED,
    errno.ECONNABORTED: CLOSED,
    errno.EPIPE: CLOSED,
    errno.EHOSTUNREACH: NO_WAY,
    errno.ENETUNREACH: NO_WAY,
    errno.EHOSTDOWN: NO_WAY,
}


def network_words(error):
    """Return what an OSError (or a host name's UnicodeError) means; the system's words for the rest."""
    if isinstance(error, socket.gaierror | UnicodeError):
        return "that host name is unknown"
    text = WORDS.get(error.errno) or error.strerror or str(error)
    return "".join(char for char in text if char.isprintable())[:500]
