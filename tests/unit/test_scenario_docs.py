"""The example of docs/scenarios.md works, and its rules are about what it makes."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from locust_fleet import metrics

TEXT = (Path(__file__).parents[2] / "docs" / "scenarios.md").read_text(encoding="utf-8")


def block(language: str, word: str) -> str:
    """Return the one example that holds a word."""
    [found] = [
        block for block in re.findall(f"```{language}\n(.*?)```", TEXT, re.DOTALL) if word in block
    ]
    return str(found)


def test_the_rules_are_about_the_metrics_of_the_example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "REGISTRY", CollectorRegistry())
    monkeypatch.setattr(metrics, "_made", {})

    scope: dict[str, Any] = {}
    exec(block("python", "import metrics").partition("class ")[0], scope)
    scope["LOGINS"].labels("guest").inc()
    shown = {sample.name for metric in metrics.REGISTRY.collect() for sample in metric.samples}
    rules = yaml.safe_load(block("yaml", "fleet:logins"))["groups"][0]["rules"]
    asked = {re.findall(r"\b(\w+)\{", rule["expr"])[-1] for rule in rules}

    assert asked
    assert asked <= shown


def test_the_size_of_the_example_is_what_it_says() -> None:
    exec(block("python", "sizing"), {})
