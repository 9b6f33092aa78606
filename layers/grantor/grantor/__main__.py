"""`python -m grantor` is the command line."""

import sys

from grantor.cli.command import main

sys.exit(main())
