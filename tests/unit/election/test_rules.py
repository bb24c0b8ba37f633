"""Whatever happens to masters, Redis and the network, a worker obeys one leader in an epoch."""

from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from tests.support.fuzz import examples

from locust_fleet.election.rules import LeaseView, Standby, Step, lead, next_epoch, stand_by

TIMEOUT_S = 5
# How far the clock of each master is wrong.
SKEW_MS = {"a": 0, "b": -900_000, "c": 1_000_000_000}
MASTERS = tuple(SKEW_MS)
WORKERS = 2


@dataclass
class Redis:
    """What lease.py's scripts make of Redis."""

    answers: bool = True
    holder: str | None = None
    valid_until: float = 0
    epoch: int = 0

    def view(self, now: float) -> LeaseView | None:
        if not self.answers:
            return None
        return LeaseView(self.holder if now < self.valid_until else None, self.epoch)

    def hold(self, master: str, epoch: int, now: float) -> None:
        self.holder, self.valid_until, self.epoch = master, now + TIMEOUT_S, epoch


@dataclass
class Master:
    """A process: it stands by, leads, or is not there."""

    name: str
    standby: Standby | None = None
    epoch: int = 0
    reported_epoch: int = 0
    # Its looks and commands, all held back while it is paused.
    paused: bool = False

    @property
    def leads(self) -> bool:
        return self.epoch > 0

    @property
    def lives(self) -> bool:
        return self.leads or self.standby is not None


class World(RuleBasedStateMachine):
    """Random histories; what is done takes a millisecond, and time passes a second at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ms, self.redis = 1_000_000, Redis()
        self.postgres, self.postgres_answers = 0, True
        self.masters = {name: Master(name) for name in MASTERS}
        self.obeyed = [0] * WORKERS
        self.leaders: dict[tuple[int, int], str] = {}

    @property
    def now(self) -> float:
        return self.now_ms / 1000

    @rule()
    def time_passes(self) -> None:
        self.now_ms += 1000

    @rule(name=st.sampled_from(MASTERS))
    def starts(self, name: str) -> None:
        master = self.masters[name]
        if not master.lives:
            known = self.postgres if self.postgres_answers else 0
            master.standby = stand_by(name, TIMEOUT_S, known)

    @rule(name=st.sampled_from(MASTERS))
    def is_killed(self, name: str) -> None:
        self.masters[name] = Master(name)

    @rule(name=st.sampled_from(MASTERS))
    def is_paused_or_goes_on(self, name: str) -> None:
        self.masters[name].paused ^= True

    @rule()
    def redis_goes_or_comes(self) -> None:
        self.redis.answers ^= True

    @rule()
    def redis_is_emptied(self) -> None:
        self.redis = Redis(self.redis.answers)

    @rule()
    def postgres_goes_or_comes(self) -> None:
        self.postgres_answers ^= True

    @rule(name=st.sampled_from(MASTERS))
    def looks(self, name: str) -> None:
        master = self.masters[name]
        if master.paused or not master.lives:
            return
        self.now_ms += 1
        if master.leads:
            self._lead(master)
        else:
            self._stand_by(master)

    @rule(name=st.sampled_from(MASTERS), worker=st.sampled_from(range(WORKERS)))
    def commands(self, name: str, worker: int) -> None:
        master = self.masters[name]
        if master.paused or not master.leads:
            return
        if master.epoch >= self.obeyed[worker]:
            self.obeyed[worker] = master.epoch
            first = self.leaders.setdefault((worker, master.epoch), name)
            assert first == name, "two leaders were obeyed in one epoch"
        master.reported_epoch = max(master.reported_epoch, self.obeyed[worker])

    @rule(name=st.sampled_from(MASTERS))
    def writes_results(self, name: str) -> None:
        master = self.masters[name]
        if master.paused or not master.leads or not self.postgres_answers:
            return
        before = self.postgres
        self.postgres = max(before, master.epoch)
        master.reported_epoch = max(master.reported_epoch, before)

    def teardown(self) -> None:
        """With Redis and one master up, however it came to this, one leads and workers obey it."""
        self.redis.answers = True
        for name in MASTERS:
            self.masters[name].paused = False
        self._go_on(*MASTERS)
        for name in MASTERS[1:]:
            self.is_killed(name)
        self._go_on(MASTERS[0])

    def _go_on(self, *names: str) -> None:
        for _ in range(4 * TIMEOUT_S):
            self.time_passes()
            for name in names:
                self.starts(name)
                self.looks(name)
                for worker in range(WORKERS):
                    self.commands(name, worker)
        [leader] = [master for master in self.masters.values() if master.leads]
        assert self.obeyed == [leader.epoch] * WORKERS
        assert self.redis.view(self.now) == LeaseView(leader.name, leader.epoch)

    @invariant()
    def redis_never_says_that_a_leader_of_an_earlier_epoch_leads(self) -> None:
        holder = self.redis.holder
        if self.redis.view(self.now) and holder and self.masters[holder].leads:
            assert self.masters[holder].epoch <= self.redis.epoch

    def _stand_by(self, master: Master) -> None:
        assert master.standby is not None
        master.standby, step = master.standby.observe(self.redis.view(self.now), self.now)
        if step is Step.CAMPAIGN:
            assert self.redis.answers, "nobody is elected while Redis is away"
            known = max(master.standby.highest_epoch, self.redis.epoch)
            master.epoch = next_epoch(known, self.now_ms + SKEW_MS[master.name])
            master.standby = None
            self.redis.hold(master.name, master.epoch, self.now)

    def _lead(self, master: Master) -> None:
        redis_epoch = self.redis.epoch if self.redis.answers else None
        before = master.epoch
        match lead(master.epoch, redis_epoch, master.reported_epoch):
            case Step.LEAD:
                if redis_epoch == before:
                    self.redis.hold(master.name, master.epoch, self.now)
            case Step.RAISE_EPOCH:
                known = max(master.reported_epoch, master.epoch)
                master.epoch = next_epoch(known, self.now_ms + SKEW_MS[master.name])
                self.redis.hold(master.name, master.epoch, self.now)
                assert master.epoch > before
            case Step.STEP_DOWN:
                highest = max(redis_epoch or 0, master.reported_epoch)
                assert highest > before, "a leader steps down only to a higher epoch"
                self.masters[master.name] = Master(master.name)
            case step:
                raise AssertionError(step)


World.TestCase.settings = settings(max_examples=examples(150), stateful_step_count=80)
test_random_histories = World.TestCase


def after(*views: tuple[float, LeaseView | None], highest_epoch: int = 0) -> Step:
    """Return what a standby does after these looks."""
    standby, step = stand_by("me", TIMEOUT_S, highest_epoch), Step.STAND_BY
    for now, view in views:
        standby, step = standby.observe(view, now)
    return step


FREE, HELD, OWN = LeaseView(None, 7), LeaseView("other", 7), LeaseView("me", 7)


def test_a_lease_that_ran_out_is_taken_at_once() -> None:
    assert after((0, HELD), (1, FREE)) is Step.CAMPAIGN


def test_a_lease_of_another_is_left_alone() -> None:
    assert after((0, HELD), (60, HELD)) is Step.STAND_BY


def test_a_master_that_starts_again_takes_its_own_lease_at_once() -> None:
    assert after((0, None), (0, OWN)) is Step.CAMPAIGN


def test_nobody_is_elected_while_redis_is_away() -> None:
    assert after((0, FREE), (60, None)) is Step.STAND_BY


def test_a_leader_may_renew_first_when_redis_is_back() -> None:
    assert after((0, HELD), (10, None), (11, FREE)) is Step.STAND_BY
    assert after((0, HELD), (10, None), (11, FREE), (10 + TIMEOUT_S, FREE)) is Step.CAMPAIGN


def test_a_leader_may_first_restore_what_redis_has_lost() -> None:
    empty = LeaseView(None, 0)
    assert after((0, HELD), (1, empty)) is Step.STAND_BY
    assert after((0, HELD), (1, empty), (2, empty)) is Step.STAND_BY
    assert after((0, HELD), (1, empty), (1 + TIMEOUT_S, empty)) is Step.CAMPAIGN
    assert after((0, empty), highest_epoch=7) is Step.STAND_BY


def test_an_empty_redis_that_nobody_knew_is_a_first_start() -> None:
    assert after((0, LeaseView(None, 0))) is Step.CAMPAIGN


@pytest.mark.parametrize(
    ("redis_epoch", "reported_epoch", "step"),
    [
        (5, 0, Step.LEAD),
        (5, 5, Step.LEAD),
        (6, 0, Step.STEP_DOWN),
        (6, 9, Step.STEP_DOWN),
        (4, 0, Step.RAISE_EPOCH),
        (0, 5, Step.RAISE_EPOCH),
        (5, 6, Step.RAISE_EPOCH),
        (None, 0, Step.LEAD),
        (None, 5, Step.LEAD),
        (None, 6, Step.STEP_DOWN),
    ],
)
def test_a_leader_of_epoch_5_steps_down_only_for_a_higher_one(
    redis_epoch: int | None, reported_epoch: int, step: Step
) -> None:
    assert lead(5, redis_epoch, reported_epoch) is step


def test_an_epoch_is_above_all_that_is_known_whatever_the_clock_says() -> None:
    assert next_epoch(7, 3) == 8
    assert next_epoch(7, 30) == 30
