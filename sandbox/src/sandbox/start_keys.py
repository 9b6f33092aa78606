"""The keys of one start: the administrator's, and the token of the server's own address.

Nothing knows them but the server, the file that only its owner reads, and whoever is given them by
`python -m sandbox env`. A web page can send requests to the port, and cannot sign them.
"""

import json
import os
import secrets
import string
from collections.abc import MutableMapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

LETTERS = string.ascii_uppercase + "234567"
PREFIX = "SANDBOX_START_"  # of the variables that hand the keys to the server


@dataclass(frozen=True)
class StartKeys:
    """The administrator's access key, its secret, and the token that /_sandbox/ wants."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    token: str = field(repr=False)

    @classmethod
    def make(cls) -> Self:
        """Return new keys. The id has AWS's form for a key of a user or of the root."""
        letters = "".join(secrets.choice(LETTERS) for _ in range(16))
        return cls(f"AKIA{letters}", secrets.token_urlsafe(30), secrets.token_urlsafe(30))

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """Return the keys of the server of this folder; None if it has none."""
        try:
            return cls(**json.loads((folder / "keys.json").read_text()))
        except (OSError, TypeError, ValueError):
            return None

    @classmethod
    def take(cls, environment: MutableMapping[str, str]) -> Self:
        """Remove the keys from the environment, so that no child has them. Make them if absent."""
        names = cls.__dataclass_fields__
        found = {name: environment.pop(f"{PREFIX}{name.upper()}", "") for name in names}
        return cls(**found) if all(found.values()) else cls.make()

    def write(self, folder: Path) -> None:
        """Keep the keys where `read` finds them; only the owner may read the file."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "keys.json").unlink(missing_ok=True)
        path = os.open(folder / "keys.json", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(path, "w") as file:
            json.dump(asdict(self), file)

    @property
    def variables(self) -> dict[str, str]:
        """Return the variables from which `take` has them."""
        return {f"{PREFIX}{name.upper()}": value for name, value in asdict(self).items()}

    @property
    def credentials(self) -> dict[str, str]:
        """Return the administrator's keys as STS returns keys."""
        return {"AccessKeyId": self.access_key_id, "SecretAccessKey": self.secret_access_key}
