"""What fails in a step ends it there, and is said once."""

import re
import shutil
import subprocess

from tests.scripts.conftest import ADDRESS, Checkout
from tests.support.checkout import ROOT

# Bash switches errexit off in what a condition is made of, also within `$(...)`.
CONDITION = re.compile(r"^ *(?:[a-z_]+\+?=\$\(.*)?\) \|\| (?:exit|die)\b.*", re.MULTILINE)


def test_no_substitution_goes_on_after_what_fails_in_it() -> None:
    files = sorted(ROOT.glob("scripts/**/*.sh"))

    assert {file.name: CONDITION.findall(file.read_text()) for file in files} == {
        file.name: [] for file in files
    }


def test_no_image_is_built_on_a_base_that_could_not_be_built(configured: Checkout) -> None:
    shutil.copytree(ROOT / "images", configured.folder / "images")
    (configured.folder / "images" / "base" / "build.sh").write_text("#!/bin/sh\nexit 1\n")
    configured.configure(IMAGE_SOURCE="packages", DEBIAN_MIRROR=f"http://{ADDRESS}:9/debian")
    for name in ("debootstrap", "apt-get"):
        configured.program(name, "exit 0")

    done = configured.deploy()

    assert done.returncode == 1
    assert not [call for call in configured.calls() if call.startswith("build ")]


def test_what_fails_in_a_substitution_is_said_once(checkout: Checkout) -> None:
    failing = "inner() { false; echo went on >&2; }; outer() { local x; x=$(inner); }; y=$(outer)"
    script = (
        f"set -Eeuo pipefail; shopt -s inherit_errexit; source scripts/lib/common.sh; {failing}"
    )

    done = subprocess.run(
        ["bash", "-c", script], cwd=checkout.folder, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert re.findall("'(.*)' exited|went on", done.stderr) == ["false"]
