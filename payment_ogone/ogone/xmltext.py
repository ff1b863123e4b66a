"""The XML of DirectLink's answers, read so that nothing in it can do anything.

No entity, no DTD, no network; bytes in one of four encodings; a bounded size.
Source: protocols/ogone.md, 5.1 and 5.5.
"""

import re

from lxml import etree

from .errors import ProtocolError

MAX_BYTES = 262144  # a form for 3-D Secure (HTML_ANSWER) has some ten thousand
ROOT = "NCRESPONSE"
_DECLARATION = re.compile(r"<\?xml\b[^<>]{0,200}?\?>", re.ASCII)
_ENCODING = re.compile(r"""\bencoding\s{0,9}=\s{0,9}["']([A-Za-z0-9._-]{1,40})["']""", re.ASCII)
_ENCODINGS = {
    **{"iso-8859-1": "latin-1", "latin1": "latin-1", "us-ascii": "latin-1", "windows-1252": "cp1252"},
    "utf-8": "utf-8",
}
_HTML = re.compile(r"<(!doctype\s+html|html|head|body)\b", re.IGNORECASE)
# never STATUS: what happened to the money is only read where it belongs
_FROM_CHILDREN = ("NCERROR", "NCERRORPLUS", "HTML_ANSWER")


def read(body):
    """{upper-case name: str} of the attributes of an <ncresponse>, and of some elements inside it.

    body  bytes as received. ProtocolError codes "html" when it is a web page, else "answer".
    """
    if not isinstance(body, (bytes, bytearray)) or len(body) > MAX_BYTES:
        raise _unreadable("The answer is too long or no bytes.")
    text = _text(bytes(body))
    # only a DTD can declare an entity or fetch anything, and no answer needs one; a declaration that is
    # still there is none that was understood
    if "<!DOCTYPE" in text or "<?xml" in text[:100].lower():
        raise _unreadable("The answer declares a document type.", text)
    root = _parsed(text)
    if _name(root) != ROOT:
        raise _unreadable("The answer is no answer of the platform.", text)
    values = {}
    for name, value in root.attrib.items():
        name = etree.QName(name).localname.upper()
        if name in values:
            raise _unreadable("The answer names a value twice.")
        values[name] = value
    return {**_children(root), **values}


def _text(body):
    body = body.removeprefix(b"\xef\xbb\xbf").strip()
    head = _DECLARATION.match(body[:300].decode("latin-1"))
    declared = _ENCODING.search(head[0]) if head else None
    encoding = _ENCODINGS.get(declared[1].lower()) if declared else "utf-8"
    if encoding is None:
        raise _unreadable("The answer is in an unknown encoding.")
    body = body[len(head[0]) :] if head else body
    try:
        return body.decode(encoding)
    except UnicodeDecodeError:
        # what is declared is not always what is sent; every byte is a character here
        return body.decode("latin-1")


def _parsed(text):
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        # suite-check: ok no DTD can be in it, and the parser resolves nothing
        return etree.fromstring(text.encode("utf-8"), parser)
    except (etree.XMLSyntaxError, ValueError):
        raise _unreadable("The answer is no XML.", text) from None


def _children(root):
    """Values in elements: HTML_ANSWER, and what some refusals (FORMAT_CHECK) say in no attribute."""
    found = {}
    for element in root.iterdescendants():
        name = _name(element)
        if name in _FROM_CHILDREN and name not in found and len(element) == 0:
            found[name] = element.text or ""
    return found


def _name(element):
    return etree.QName(element).localname.upper() if isinstance(element.tag, str) else ""


def _unreadable(sentence, text=""):
    if _HTML.search(text[:2000]):
        return ProtocolError("The answer is a web page.", code="html")
    return ProtocolError(sentence, code="answer")
