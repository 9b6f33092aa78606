"""`python -m grantor` is the command line."""

import sys

from grantor.cli.main import main

sys.exit(main())
