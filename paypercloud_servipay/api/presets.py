"""The profiles that come with the addon: assumptions about an API that is not public, and marked as such.

Source: protocols/paypercloud.md, 4. Each is a JSON file in presets/.
"""

from pathlib import Path

from . import jsontext
from .errors import ProtocolError, shown

_FOLDER = Path(__file__).parent / "presets"
_NAMES = ("default", "flat_rpc", "path_scoped")  # the order in which a person is offered them


def preset_names():
    """List of the names that `load` takes, the default first."""
    return list(_NAMES)


def load(name):
    """A fresh profile document (dict) of the preset `name`; ProtocolError code "choice" for another name."""
    if not isinstance(name, str) or name not in _NAMES:
        raise ProtocolError(
            f"There is no preset {shown(name)}.", "preset", "choice", {"options": ", ".join(_NAMES)}
        )
    return jsontext.loads((_FOLDER / f"{name}.json").read_bytes())
