"""The union of authorizers, what the gate makes of it, and work that cannot wait for an answer."""

from __future__ import annotations

import pytest

from pybernetes.api import errors
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.authz import answers, authorizer

ALICE = requests.User("alice")
READING = requests.Attributes("get", "/api/v1/pods/x", "", "v1", "", "pods", "", "x")
WRITING = READING._replace(verb="update")
ALLOWED = authorizer.Decision(True, "yes")
DENIED = authorizer.Decision(False, "no", denied=True)
NEITHER = authorizer.Decision(False, "who knows")
FAILED = authorizer.Decision(False, error="broken")


class Fixed(authorizer.Immediate):
    def __init__(self, decision: authorizer.Decision) -> None:
        self._decision = decision

    def decide(self, user: requests.User, attributes: requests.Attributes) -> authorizer.Decision:
        return self._decision


class Asked(authorizer.Immediate):
    """Never knows at once."""

    def __init__(self, decision: authorizer.Decision) -> None:
        self._decision = decision
        self.questions: list[requests.Attributes] = []

    def decide(self, user: requests.User, attributes: requests.Attributes) -> authorizer.Decision | None:  # type: ignore[override]
        return None

    async def ask(self, user: requests.User, attributes: requests.Attributes) -> authorizer.Decision:
        self.questions.append(attributes)
        return self._decision


@pytest.mark.parametrize(
    ("decisions", "outcome"),
    [
        ([], authorizer.NO_OPINION),
        ([NEITHER, ALLOWED, DENIED], ALLOWED),
        ([NEITHER, DENIED, ALLOWED], DENIED),
        ([authorizer.NO_OPINION, authorizer.NO_OPINION], authorizer.NO_OPINION),
        ([NEITHER, NEITHER._replace(reason="not I")], authorizer.Decision(False, "who knows\nnot I")),
        ([FAILED, NEITHER, FAILED], authorizer.Decision(False, "who knows", error="broken")),
        ([FAILED, FAILED._replace(error="too")], authorizer.Decision(False, error="[broken, too]")),
        ([FAILED, ALLOWED], ALLOWED),
    ],
)
async def test_the_first_with_an_opinion_decides(
    decisions: list[authorizer.Decision], outcome: authorizer.Decision
) -> None:
    union = authorizer.Union([Fixed(decision) for decision in decisions])
    assert union.decide(ALICE, READING) == outcome
    assert await union.ask(ALICE, READING) == outcome
    asked = authorizer.Union([Asked(decision) for decision in decisions])
    assert (asked.decide(ALICE, READING) is None) is bool(decisions)
    assert await asked.ask(ALICE, READING) == outcome


async def test_who_comes_before_decides_without_asking() -> None:
    last = Asked(ALLOWED)
    assert authorizer.Union([Fixed(DENIED), last]).decide(ALICE, READING) == DENIED
    assert authorizer.Union([Fixed(NEITHER), last]).decide(ALICE, READING) is None
    assert last.questions == []


class TestGate:
    def request(self) -> requests.Request:
        return requests.Request(method="GET", path=READING.path, user=ALICE, attributes=READING)

    async def outcome(self, by: authorizer.Authorizer) -> tuple[int, dict[str, str]]:
        request = self.request()
        try:
            waiting = authorizer.Gate(by, notes=True).check(request)
            if waiting is not None:
                await waiting
        except errors.StatusError as error:
            return error.code, request.annotations
        return 200, request.annotations

    @pytest.mark.parametrize("kind", [Fixed, Asked])
    async def test_what_it_lets_through(self, kind: type[Fixed]) -> None:
        decision, reason = authorizer.DECISION, authorizer.REASON
        assert await self.outcome(kind(ALLOWED)) == (200, {decision: "allow", reason: "yes"})
        assert await self.outcome(kind(DENIED)) == (403, {decision: "forbid", reason: "no"})
        assert await self.outcome(kind(FAILED)) == (500, {reason: "internal error"})
        # What went wrong with others does not matter to who is allowed.
        assert (await self.outcome(kind(ALLOWED._replace(error="broken"))))[0] == 200

    async def test_what_is_known_costs_nothing_more(self) -> None:
        assert authorizer.Gate(Fixed(ALLOWED)).check(self.request()) is None


class TestAnswers:
    async def test_work_is_done_again_with_what_it_asked_for(self) -> None:
        asked = Asked(ALLOWED)
        done = []

        def work(known: answers.Answers) -> bool:
            done.append(1)
            reads = known.decide(ALICE, READING).allowed
            return reads and known.decide(ALICE, WRITING).allowed

        assert await answers.settled(asked, work)
        assert asked.questions == [READING, WRITING]
        assert len(done) == 3

    async def test_what_fails_for_want_of_an_answer_is_done_again(self) -> None:
        def work(known: answers.Answers) -> str:
            if not known.decide(ALICE, READING).allowed:
                raise ValueError("not allowed")
            return "done"

        assert await answers.settled(Asked(ALLOWED), work) == "done"
        with pytest.raises(ValueError, match="not allowed"):
            await answers.settled(Asked(DENIED), work)
        assert await answers.settled(Fixed(ALLOWED), work) == "done"
