"""The checkout that is tested, and copies of it."""

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Everybody else may read nothing of what is made.
HARDENED = 0o077
# Docker has built what it has seen with these modes before.
BUILT_FROM = ("src", "images", "pyproject.toml", "requirements")


def copy_checkout(folder: Path) -> None:
    """Copy what a clone would hold, with what is not yet committed, into an empty folder."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        source, target = ROOT / name, folder / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
            if not name.startswith(BUILT_FROM):
                target.chmod(target.stat().st_mode & ~HARDENED)
    for command in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "as it is")):
        identity = ("-c", "user.name=e2e", "-c", "user.email=e2e@example.invalid")
        subprocess.run(["git", *identity, *command], cwd=folder, check=True)
