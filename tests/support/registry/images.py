"""Put small images where a registry keeps its own, without asking it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tarfile
from pathlib import Path
from typing import Any

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar"
LAYER_BYTES = 200_000


def repository(image: str) -> tuple[str, str]:
    """Return the path of an image in a registry, and its tag."""
    name, _, tag = image.partition(":")
    return (name if "/" in name else f"library/{name}"), tag


def put_image(folder: Path, image: str) -> None:
    """Write an image of one layer that no other image has."""
    path, tag = repository(image)
    store = folder / "docker/registry/v2"
    layer = layer_of(os.urandom(LAYER_BYTES))
    rootfs = {"type": "layers", "diff_ids": [digest(layer)]}
    config = as_json({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": rootfs})
    manifest = as_json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": described(CONFIG, config),
            "layers": [described(LAYER, layer)],
        }
    )
    home = store / "repositories" / path
    for blob in (layer, config, manifest):
        write(store / "blobs/sha256" / digest(blob)[7:9] / digest(blob)[7:] / "data", blob)
    for blob in (layer, config):
        link(home / "_layers", blob)
    link(home / "_manifests/revisions", manifest)
    link(home / f"_manifests/tags/{tag}/index", manifest)
    write(home / f"_manifests/tags/{tag}/current/link", digest(manifest).encode())


def remove_image(folder: Path, image: str) -> None:
    path, _ = repository(image)
    shutil.rmtree(folder / "docker/registry/v2/repositories" / path)


def layer_of(content: bytes) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as files:
        entry = tarfile.TarInfo("content")
        entry.size = len(content)
        files.addfile(entry, io.BytesIO(content))
    return archive.getvalue()


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def described(kind: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": kind, "size": len(content), "digest": digest(content)}


def as_json(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode()


def link(folder: Path, content: bytes) -> None:
    name = digest(content)
    write(folder / "sha256" / name.removeprefix("sha256:") / "link", name.encode())


def write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
