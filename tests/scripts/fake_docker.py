"""Stand in for `docker` on PATH: note every call, and answer from the files of a folder.

The folder is FAKE_DOCKER. What a test wants to be different it says with a file there: `engine` and
`compose` (versions), `down` (the engine does not answer), `recreate` (services that `up` would
recreate), `run` (the state of the run), `fails` (words; a call that holds one of them fails),
`stopped` (containers that have exited), `started` (when containers started). In `added` and
`removed` it notes those itself.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

FOLDER = Path(os.environ["FAKE_DOCKER"])
SERVICES = (
    *("nginx", "console", "migrate", "locust-master", "locust-worker"),
    *("demo-target", "redis", "postgres"),
)
FORMATS = {
    "{{.ID}}": "id",
    "{{.Names}}": "name",
    "{{.State}}": "state",
    "{{.Status}}": "status",
    '{{.Label "com.docker.compose.service"}}': "service",
    '{{.Label "fleet.scenario"}}': "scenario",
    '{{.Label "com.docker.compose.config-hash"}}': "hash",
}


def main(arguments: list[str]) -> int:
    call = " ".join(arguments)
    with (FOLDER / "calls").open("a") as calls:
        calls.write(call + "\n")
    if arguments[:2] == ["compose", "version"]:
        return say(read("compose", "2.26.1"))
    if (FOLDER / "down").exists():
        print("Cannot connect to the Docker daemon", file=sys.stderr)
        return 1
    if any(word in call for word in read("fails").splitlines()):
        print(f"fake: {call} fails", file=sys.stderr)
        return 1
    return compose(call) if arguments[0] == "compose" else engine(arguments, call)


def engine(arguments: list[str], call: str) -> int:
    match arguments:
        case ["version", *_]:
            return say(read("engine", "26.1.5+dfsg1"))
        case ["info", *_]:
            return say(str(FOLDER))
        case ["ps", *_]:
            return containers(call, arguments[arguments.index("--format") + 1])
        case ["exec", *_]:
            return say(read("run", "none"))
        case ["inspect", *_] if "RestartCount" in call:
            return say("running 0")
        case ["inspect", *_] if "StartedAt" in call:
            return say(f"{arguments[-1]} {read('started')}")
        case ["inspect", *_]:
            return say(arguments[-1])
        case ["rm", name]:
            return remove(name)
        case ["build", *_]:
            return add_image(arguments[arguments.index("--tag") + 1], read("content", "1"))
        case ["pull", *_]:
            return add_image(arguments[-1], "pulled")
        case ["tag", image, name]:
            return add_image(name, images().get(image, image))
        case ["image", "inspect", *_]:
            return inspect_image(arguments)
        case ["volume", "inspect", name]:
            return 0 if name in read("volumes").split() else 1
        case ["port", *_]:
            return say(read("port"))
        case _:
            return 0


def compose(call: str) -> int:
    if "--dry-run create" in call:
        project = os.environ["FAKE_PROJECT"]
        for service in read("recreate").split():
            print(f" DRY-RUN MODE -  Container {project}-{service}-1  Recreate", file=sys.stderr)
    elif " create " in call:
        scale_up(call)
    elif " up " in call:
        (FOLDER / "up").touch()
    elif "psql" in call:
        print(1)
    elif "pg_dump" in call:
        print("a dump")
    return 0


def containers(call: str, template: str) -> int:
    if not (FOLDER / "up").exists():
        return 0
    for service in SERVICES:
        if "compose.service=" in call and f".service={service} " not in f"{call} ":
            continue
        for name in names(service):
            done = service == "migrate" or name in read("stopped").split()
            container = {
                "service": service,
                "state": "exited" if done else "running",
                "status": "Exited (0) 1 second ago" if done else "Up 1 second (healthy)",
                "name": name,
                "id": f"{service}-{int(name.rpartition('-')[2]) - 1}",
                "scenario": scenario(),
                "hash": "old" if is_old(service, name) else "new",
            }
            line = template
            for placeholder, key in FORMATS.items():
                line = line.replace(placeholder, container[key])
            print(line)
    return 0


def names(service: str) -> list[str]:
    """The containers of a service, as Compose names them."""
    prefix = f"{os.environ['FAKE_PROJECT']}-{service}-"
    count = int(read("workers", "3")) if service == "locust-worker" else 1
    first = [f"{prefix}{number + 1}" for number in range(count)]
    added = [name for name in read("added").split() if name.startswith(prefix)]
    return [name for name in first + added if name not in read("removed").split()]


def is_old(service: str, name: str) -> bool:
    return service in read("recreate").split() and name not in read("added").split()


def scale_up(call: str) -> None:
    """Add what is missing, with the numbers after those that there are."""
    scaled = re.search(r"--no-recreate --scale (\S+)=(\d+)", call)
    if scaled is None:
        return
    there = names(scaled[1])
    last = max(int(name.rpartition("-")[2]) for name in there)
    for number in range(last + 1, last + 1 + int(scaled[2]) - len(there)):
        note("added", f"{os.environ['FAKE_PROJECT']}-{scaled[1]}-{number}")


def scenario() -> str:
    """The label that the last deployment gave."""
    file = Path(".deploy/mounted.yml")
    found = re.search(r'fleet.scenario: "(\w+)"', file.read_text() if file.exists() else "")
    return found[1] if found else ""


def remove(name: str) -> int:
    added = read("added").split()
    if name not in added:
        return note("removed", name)
    added.remove(name)
    (FOLDER / "added").write_text("".join(f"{each}\n" for each in added))
    return 0


def note(name: str, text: str) -> int:
    with (FOLDER / name).open("a") as file:
        file.write(f"{text}\n")
    return 0


def images() -> dict[str, str]:
    return dict(json.loads(read("images", "{}")))


def add_image(name: str, content: str) -> int:
    (FOLDER / "images").write_text(json.dumps(images() | {name: content}))
    return 0


def inspect_image(arguments: list[str]) -> int:
    names = [word for word in arguments[2:] if ":" in word and "{" not in word]
    content = images().get(names[0]) if names else None
    if content is None:
        return 1
    form = arguments[arguments.index("--format") + 1] if "--format" in arguments else ""
    return say(
        form.replace("{{.Id}}", f"sha256:{content:0<64}").replace("{{.RootFS.Layers}}", content)
    )


def read(name: str, default: str = "") -> str:
    file = FOLDER / name
    return file.read_text().strip() if file.exists() else default


def say(text: str) -> int:
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
