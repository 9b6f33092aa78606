"""Compare generated documents with what generates them, or write them anew."""

import argparse
from collections.abc import Mapping
from pathlib import Path


def refresh_documents(module: str, description: str | None, today: Mapping[Path, str]) -> int:
    """Compare documents with their texts of today, or write these with `--write`.

    Returns the number of documents that are out of date, 0 once they are written.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    parser.add_argument("--write", action="store_true", help="write the documents anew")
    write = parser.parse_args().write
    stale = {
        path: text for path, text in today.items() if not path.exists() or path.read_text() != text
    }
    for path, text in stale.items():
        if write:
            path.write_text(text)
        else:
            print(f"docs/{path.name} is out of date: run make docs")
    return 0 if write else len(stale)
