"""Rules times facts become wanted grants (expand.py): what must be read for that (needs.py), and what is worth a second look (lint.py)."""
