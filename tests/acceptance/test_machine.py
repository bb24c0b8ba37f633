"""The machines of the acceptance tests, which others build on."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.machine import new_machine

IMAGE = "locust-fleet/base:packages"


def test_the_engine_of_a_new_machine_has_what_it_is_told_and_given(tmp_path: Path) -> None:
    with new_machine() as machine:
        machine.clone(tmp_path)

        machine.start_engine({"labels": ["machine=new"]})
        machine.give(IMAGE)

        engine = machine.run("docker info --format '{{.Labels}}'")
        images = machine.run("docker image ls --format '{{.Repository}}:{{.Tag}}'")
        inside = machine.run(f"docker run --rm {IMAGE} cat /etc/debian_version")
        assert engine.splitlines()[-1] == "[machine=new]"
        assert images.splitlines() == [IMAGE]
        assert inside.startswith("13")
