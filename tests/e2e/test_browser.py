"""A person with a browser: sign in, start, watch, stop, read the report."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from tests.e2e.stack import DEMO, PASSWORD, Stack

CHROMIUM = "/usr/bin/chromium"
SCREENSHOTS = Path("screenshots")
# Chromium drops its connections whenever a network interface comes or goes, as with any container.
NETWORK_CHANGED = "ERR_NETWORK_CHANGED"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
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
        if message.type == "error" and NETWORK_CHANGED not in message.text:
            complaints.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    failed_before = request.session.testsfailed
    yield page
    if request.session.testsfailed > failed_before:
        SCREENSHOTS.mkdir(exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"{request.node.name}.png", full_page=True)
    context.close()


def visit(page: Page, path: str) -> None:
    """Go to a page, again where a container that came or went was in the way."""
    for _ in range(10):
        try:
            page.goto(path)
        except PlaywrightError as error:
            if NETWORK_CHANGED not in str(error):
                raise
        else:
            return
    page.goto(path)


def sign_in(page: Page, name: str = "admin", password: str = PASSWORD) -> None:
    visit(page, "/")
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


def test_the_report_of_a_run_works_under_its_policy(
    stack: Stack, page: Page, complaints: list[str]
) -> None:
    session = stack.browser()
    run_id = stack.start(session, users=10, host=DEMO)
    stack.wait_for_requests(session, 50)
    stack.stop(session, run_id)
    stack.wait_for_state(run_id, "stopped")

    sign_in(page)
    visit(page, f"/console/runs/{run_id}")
    expect(page.get_by_text("/products").first).to_be_visible()
    visit(page, f"/console/reports/{run_id}/report.html")
    expect(page.get_by_text("/products").first).to_be_visible()

    assert complaints == []
