"""Figures, each beside another that was measured in the same run; written to build/bench/*.json."""

import sys
from pathlib import Path

# The product is imported as its functions import it: from its layer.
sys.path.append(str(Path(__file__).parent.parent / "layers/grantor"))
