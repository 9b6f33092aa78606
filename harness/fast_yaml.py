"""The YAML loader to derive others from: libyaml's if PyYAML has it, which is ten times as fast."""

from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    FastLoader = yaml.SafeLoader
else:
    FastLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
