"""What a scenario may do with shared data, in one process."""

from __future__ import annotations

from locust.env import Environment
from locust.event import Events
from locust.exception import StopUser

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest

from locust_fleet import data
from locust_fleet.data import standalone
from locust_fleet.data.client import DataRegistry
from locust_fleet.data.counter import Counter
from locust_fleet.data.source import source_of
from locust_fleet.data.standalone import StandaloneStore
from locust_fleet.errors import DataError

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[DataRegistry]:
    registry = DataRegistry(StandaloneStore().client)
    monkeypatch.setattr(data, "registry", registry)
    yield registry
    registry.client.end()


@pytest.fixture
def accounts(tmp_path: Path) -> Path:
    file = tmp_path / "accounts.csv"
    file.write_text("user,password\nanna,a\nben,b\n", encoding="utf-8")
    return file


def declare(name: str, file: Path, when_empty: str = "wait") -> None:
    data.registry.declare(source_of(name, file, when_empty, file.parent))


def test_a_record_is_read_by_the_names_of_its_columns(accounts: Path) -> None:
    declare("accounts", accounts)
    with data.lease("accounts") as account:
        assert dict(account) == {"user": "anna", "password": "a"}


def test_two_users_never_have_the_same_record(accounts: Path) -> None:
    declare("accounts", accounts)
    with data.lease("accounts") as one, data.lease("accounts") as other:
        assert {one["user"], other["user"]} == {"anna", "ben"}


def test_who_finds_none_waits_until_one_is_given_back(accounts: Path) -> None:
    declare("accounts", accounts)
    with data.lease("accounts"):
        with data.lease("accounts") as second:
            waiting = gevent.spawn(lambda: data.lease("accounts").__enter__())
            gevent.sleep(0.2)
            assert not waiting.ready()
            user = second["user"]
        assert waiting.get(timeout=2)["user"] == user


def test_waiting_ends_with_the_given_time(accounts: Path) -> None:
    declare("accounts", accounts)
    with (
        data.lease("accounts"),
        data.lease("accounts"),
        pytest.raises(DataError, match=r"no record of accounts was free for 0.1 s; add some"),
        data.lease("accounts", timeout_s=0.1),
    ):
        pass


def test_with_the_policy_stop_the_user_stops(accounts: Path) -> None:
    declare("accounts", accounts, "stop")
    with (
        data.lease("accounts"),
        data.lease("accounts"),
        pytest.raises(StopUser),
        data.lease("accounts"),
    ):
        pass


def test_what_is_used_up_comes_no_more(accounts: Path) -> None:
    declare("accounts", accounts)
    for _ in range(2):
        with data.lease("accounts") as account:
            account.use_up()
    with (
        pytest.raises(DataError, match="all records of accounts are used up"),
        data.lease("accounts"),
    ):
        pass


def test_with_the_policy_recycle_what_is_used_up_comes_again(accounts: Path) -> None:
    declare("accounts", accounts, "recycle")
    seen = []
    for _ in range(4):
        with data.lease("accounts") as account:
            seen.append(account["user"])
            account.use_up()
    assert seen == ["anna", "ben", "anna", "ben"]


def test_a_user_that_is_killed_while_it_waits_takes_nothing(accounts: Path) -> None:
    declare("accounts", accounts)
    with data.lease("accounts"), data.lease("accounts"):
        waiting = [gevent.spawn(lambda: data.lease("accounts").__enter__()) for _ in range(5)]
        gevent.sleep(0.1)
        gevent.killall(waiting)
    with data.lease("accounts", 1), data.lease("accounts", 1):
        pass


def test_a_user_that_is_killed_as_it_gets_a_record_gives_it_back(accounts: Path) -> None:
    declare("accounts", accounts)
    for _ in range(20):
        user = gevent.spawn(lambda: data.lease("accounts").__enter__())
        gevent.sleep(0)
        user.kill()
        if user.successful() and isinstance(user.value, data.Lease):
            user.value.__exit__(None, None, None)
    with data.lease("accounts", 1), data.lease("accounts", 1):
        pass


def test_a_run_that_is_about_to_end_lets_nobody_wait(accounts: Path) -> None:
    declare("accounts", accounts)
    with data.lease("accounts"), data.lease("accounts"):
        waiting = gevent.spawn(lambda: data.lease("accounts").__enter__())
        gevent.sleep(0.1)
        data.registry.client.stop_waiting()
        with pytest.raises(StopUser):
            waiting.get(timeout=1)


def test_an_exception_of_a_task_gives_the_record_back(accounts: Path) -> None:
    declare("accounts", accounts)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), data.lease("accounts", 1):
            1 / 0  # noqa: B018


def test_a_lease_is_good_for_its_block_alone(accounts: Path) -> None:
    declare("accounts", accounts)
    with data.lease("accounts") as account:
        pass
    with pytest.raises(DataError, match="use it in its with block"):
        account["user"]


def test_a_counter_gives_each_number_once() -> None:
    orders = data.counter("orders")
    users = [gevent.spawn(lambda: [orders.next() for _ in range(10)]) for _ in range(10)]
    numbers = [number for user in users for number in user.get()]
    assert sorted(numbers) == list(range(1, 101))
    assert orders.value == 100


def test_a_lock_is_had_by_one() -> None:
    lock = data.lock("cleanup")
    with lock:
        assert not data.lock("cleanup").acquire(wait_s=0)
        first = lock.token
    with lock:
        assert lock.token > first


def test_users_may_share_a_lock_that_was_made_at_import() -> None:
    lock, inside = data.lock("cleanup"), []

    def user() -> None:
        with lock:
            inside.append(1)
            gevent.sleep(0.01)
            assert inside == [1]
            inside.clear()

    gevent.joinall([gevent.spawn(user) for _ in range(3)], timeout=5, raise_error=True)


def test_a_lock_that_has_expired_is_left_alone() -> None:
    late, quick = data.lock("cleanup", expiry_s=0.2), data.lock("cleanup")
    assert late.acquire()
    assert quick.acquire(wait_s=2)
    with pytest.raises(data.LeaseLost, match=r"held for longer than its 0\.2 s"):
        late.check()
    assert not late.release()
    assert quick.release()


def test_members_join_and_leave() -> None:
    buyers = data.members("buyers")
    buyers.join("anna")
    buyers.join("ben")
    buyers.leave("anna")
    assert list(buyers) == ["ben"]
    assert "ben" in buyers


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "user,password\nanna\n", "a.csv, line 2: other columns than"),
        ("a.csv", "user\n", "has no records; add some for accounts"),
        (
            "a.csv",
            'user\n"anna',
            "a.csv, after line 1: unexpected end of data; .* close each quote",
        ),
        ("a.jsonl", '{"a": 1}\n{"a": \n', "a.jsonl, near line 2: .*use a JSON value on each line"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    (tmp_path / name).write_text(content)
    declare("accounts", tmp_path / name)
    with pytest.raises(DataError, match=message), data.lease("accounts"):
        pass


def test_a_file_of_another_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("user\nmüller\n".encode("latin-1"))
    declare("accounts", tmp_path / "a.csv")
    with (
        pytest.raises(DataError, match=r"a\.csv, after line 0: .*use UTF-8"),
        data.lease("accounts"),
    ):
        pass


@pytest.mark.parametrize(
    ("name", "where", "when_empty", "message"),
    [
        ("my accounts", "a.csv", "wait", "is invalid; use up to 100 letters"),
        ("accounts", "a.xlsx", "wait", "use a .csv or .jsonl file, or redis:KEY"),
        ("accounts", "a.csv", "loop", "use one of wait, recycle, stop"),
        ("accounts", "a.csv", "wait", "a.csv of the source accounts is missing; put it beside"),
    ],
)
def test_a_source_that_is_none_is_refused_when_it_is_declared(
    name: str, where: str, when_empty: str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        data.source(name, where, when_empty=when_empty)  # type: ignore[arg-type]


def test_an_unknown_source_is_named_with_those_that_are_known(accounts: Path) -> None:
    declare("accounts", accounts)
    with pytest.raises(DataError, match=r"no source acounts; declare it .*there are: accounts"):
        data.lease("acounts")


def test_a_source_of_any_json_value(tmp_path: Path) -> None:
    (tmp_path / "words.jsonl").write_text('"one"\n\n')
    declare("words", tmp_path / "words.jsonl")
    with data.lease("words") as word:
        assert word.value == "one"
        with pytest.raises(DataError, match=r"has no fields; read its \.value"):
            word["x"]


SCENARIO = """
from locust import User, constant, task
from locust_fleet import data

data.source("accounts", "accounts.csv", when_empty="stop")

class Buyer(User):
    wait_time = constant(0.05)

    @task
    def buy(self):
        with data.lease("accounts") as account:
            print("order", data.counter("orders").next(), account["user"], flush=True)
            account.use_up()
"""


def test_plain_locust_shares_within_its_process_and_sums_up(tmp_path: Path, accounts: Path) -> None:
    (tmp_path / "buyers.py").write_text(SCENARIO)
    scenario = str(tmp_path / "buyers.py")
    command = ("-m", "locust", "-f", scenario, "--headless", "-u", "3", "-r", "3", "-t", "5")
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, timeout=150, check=False
    )
    orders = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("order")]
    assert sorted(orders) == [["1", "anna"], ["2", "ben"]]
    [summary] = [line for line in done.stderr.splitlines() if "shared data of the test" in line]
    sources = json.loads(summary[summary.index("{") :])["sources"]
    assert sources == {"accounts": {"records": 2, "leases": 2, "reclaimed": 0, "used up": 2}}


def test_data_that_is_named_at_import_begins_anew_with_each_test() -> None:
    alone, environment = StandaloneStore(), Environment(user_classes=[], events=Events())
    registry = DataRegistry(alone.client)
    orders = Counter(registry.client, "orders")
    events = Events()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(standalone, "events", events)
        alone.attach(registry)
    events.init.fire(environment=environment)

    orders.add(5)
    environment.events.test_start.fire(environment=environment)

    assert orders.next() == 1


def test_workers_of_plain_locust_are_told_that_they_share_nothing() -> None:
    alone = StandaloneStore()
    client = alone.client()
    environment = Environment(user_classes=[])
    runner = environment.create_master_runner("127.0.0.1", 0)
    try:
        alone.follow(environment, client)
        with pytest.raises(DataError, match="start them with locust-fleet worker"):
            client.session()
    finally:
        runner.quit()
