"""The unit ring: Python only. Each addon's folder is on sys.path: its protocol room is importable alone."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
for manifest in sorted(ROOT.glob("*/__manifest__.py")):
    sys.path.insert(1, str(manifest.parent))
