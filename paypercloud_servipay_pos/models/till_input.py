"""What a browser sends may be anything: only what it should be gets further."""

KEY_LENGTH = 64


def text(value, longest=128):
    """Return a text that can be stored, False for anything else."""
    if not isinstance(value, str):
        return False
    return value[:longest].replace("\0", "").encode("utf-8", "ignore").decode()


def as_dict(value):
    """Return a dict, empty for anything else."""
    return value if isinstance(value, dict) else {}


def as_list(value):
    """Return a list or tuple, empty for anything else."""
    return value if isinstance(value, list | tuple) else []


def record_ids(values):
    """Return those of the values that may be the id of a record."""
    return [value for value in values if type(value) is int and 0 < value < 2**31]


def is_key(key):
    """Return whether a value can be an operation's key: 16 to 64 printable ASCII characters."""
    return isinstance(key, str) and 16 <= len(key) <= KEY_LENGTH and key.isascii() and key.isprintable()
