"""The benchmarks lie beside the package, in the root of the repository."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
