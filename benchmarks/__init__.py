"""Figures, each beside something measured in the same run; they stand in build/bench/*.json."""

import sys
from pathlib import Path

# The product is imported as its functions import it: from its layer.
sys.path.append(str(Path(__file__).parent.parent / "layers/grantor"))
