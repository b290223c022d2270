"""Which code produced a run: commit and cleanliness of the working directory's repository."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Provenance:
    """State of the repository around a folder; both None outside a repository or without git."""

    commit: str | None
    dirty: bool | None
    """Tracked files differ from the commit; `reports/` is left out, since a sweep writes there itself."""


def provenance(folder: Path) -> Provenance:
    """The repository that `folder` lies in."""
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    if commit is None:
        return Provenance(None, None)
    # ":/" counts from the repository's root, wherever in it the sweep was started.
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", ":/", ":(top,exclude)reports")
    return Provenance(commit, None if changes is None else bool(changes))


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
