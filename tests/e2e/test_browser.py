"""A person with a browser: sign in, start, watch, stop, read the report."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.support.engine import docker
from tests.support.stack import DEMO, PASSWORD, Stack

CHROMIUM = "/usr/bin/chromium"
SCREENSHOTS = Path("screenshots")


@pytest.fixture
def chromium(stack: Stack, tmp_path: Path) -> Iterator[Browser]:
    """Chromium in nginx's network: it drops its connections whenever an interface of its own
    network comes or goes, which on the host is with any container."""
    [nginx] = stack.containers("nginx")
    pid = docker("inspect", "--format", "{{.State.Pid}}", nginx)
    launcher = tmp_path / "chromium"
    launcher.write_text(f'#!/bin/sh\nexec nsenter --target {pid} --net {CHROMIUM} "$@"\n')
    launcher.chmod(0o755)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=launcher,
            args=[
                *("--no-sandbox", "--disable-gpu", "--disable-background-networking"),
                f"--host-resolver-rules=MAP {stack.url.removeprefix('https://')} 127.0.0.1:8443",
            ],
        )
        yield browser
        browser.close()


@pytest.fixture
def complaints() -> list[str]:
    return []


@pytest.fixture
def page(
    chromium: Browser, stack: Stack, complaints: list[str], request: pytest.FixtureRequest
) -> Iterator[Page]:
    context = chromium.new_context(ignore_https_errors=True, base_url=stack.url)
    page = context.new_page()

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    failed_before = request.session.testsfailed
    yield page
    if request.session.testsfailed > failed_before:
        SCREENSHOTS.mkdir(exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"{request.node.name}.png", full_page=True)
    context.close()


def sign_in(page: Page, name: str = "admin", password: str = PASSWORD) -> None:
    page.goto("/")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def open_form(page: Page) -> None:
    """Have Locust's form for a start; after a run it is behind a button."""
    new, users = page.get_by_role("button", name="New"), page.get_by_label("Number of users")
    expect(new.or_(users).first).to_be_visible(timeout=20_000)
    if new.is_visible():
        new.click()


def test_a_person_signs_in_and_runs_a_test_in_locusts_own_ui(
    stack: Stack, page: Page, complaints: list[str]
) -> None:
    sign_in(page)
    open_form(page)
    page.get_by_label("Number of users").fill("10")
    page.get_by_label("Ramp up").fill("10")
    page.get_by_label("Host").fill(DEMO)
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_text("/products").first).to_be_visible(timeout=20_000)
    page.get_by_role("button", name="Stop").first.click()
    expect(page.get_by_role("button", name="New").first).to_be_visible(timeout=30_000)

    assert complaints == []


def test_a_refused_target_is_explained_in_locusts_own_ui(page: Page) -> None:
    sign_in(page)
    open_form(page)
    page.get_by_label("Host").fill("http://elsewhere.invalid")
    page.get_by_role("button", name="Start").click()

    expect(page.get_by_text("is not in ALLOWED_TARGETS")).to_be_visible()


def test_a_wrong_password_is_refused_in_words(page: Page) -> None:
    sign_in(page, password="wrong horse")

    expect(page.get_by_role("alert")).to_be_visible()


def test_the_report_of_a_run_works_under_its_policy_and_from_disk(
    stack: Stack, page: Page, complaints: list[str], tmp_path: Path
) -> None:
    session = stack.browser()
    run_id = stack.start(session, users=10, host=DEMO)
    stack.wait_for_requests(session, 50)
    stack.stop(session, run_id)
    stack.wait_for_state(run_id, "stopped")

    sign_in(page)
    page.goto(f"/console/runs/{run_id}")
    expect(page.get_by_text("/products").first).to_be_visible()
    page.goto(f"/console/reports/{run_id}/report.html")
    expect(page.get_by_text("/products").first).to_be_visible()
    report = tmp_path / "report.html"
    report.write_text(session.get(f"{stack.url}/stats/report?download=1", timeout=30).text)
    page.goto(report.as_uri())
    expect(page.get_by_text("/products").first).to_be_visible()

    assert [words for words in complaints if "ERR_FILE_NOT_FOUND" not in words] == []
