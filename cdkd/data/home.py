"""The folder where cdkd keeps what it can make again: generated, transcoded and downloaded files."""

import os
from pathlib import Path


def cdkd_home() -> Path:
    """`CDKD_HOME`, else the user's cache folder for cdkd; it need not exist yet."""
    given = os.environ.get("CDKD_HOME")
    if given:
        return Path(given).expanduser()
    import platformdirs

    return platformdirs.user_cache_path("cdkd")
