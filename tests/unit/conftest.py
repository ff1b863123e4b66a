"""The unit ring: Python only. Each addon's folder is on sys.path: its protocol room is importable alone.

What hypothesis tries is the same in every run, so that a red run can be repeated and a green one means
something. SERVIPAY_FUZZ=1 lets it look for something new.
"""

import os
import sys
from pathlib import Path

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True)
if not os.environ.get("SERVIPAY_FUZZ"):
    settings.load_profile("repeatable")

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
for manifest in sorted(ROOT.glob("*/__manifest__.py")):
    sys.path.insert(1, str(manifest.parent))
