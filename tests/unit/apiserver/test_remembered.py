from pybernetes.apiserver import remembered
from pybernetes.apiserver import request as requests

USER = requests.User("ann", groups=("system:authenticated",))


def attributes(name: str) -> requests.Attributes:
    return requests.Attributes("get", f"/api/v1/x/{name}", "", "v1", "a", "configmaps", name=name)


def test_is_found_by_the_same_and_by_equal_ones():
    kept: remembered.Remembered[str] = remembered.Remembered()
    at = attributes("x")
    assert kept.get(USER, at) is None
    assert kept.put(USER, at, "yes") == "yes"
    assert kept.get(USER, at) == "yes"
    assert kept.get(requests.User("ann", groups=("system:authenticated",)), attributes("x")) == "yes"
    assert kept.get(requests.User("bob"), at) is None
    assert kept.get(USER, attributes("y")) is None


def test_tokens_of_one_user_are_the_same_user():
    kept: remembered.Remembered[str] = remembered.Remembered()
    kept.put(USER, attributes("x"), "yes")
    assert kept.get(USER._replace(uid="1", extra=(("jti", ("7",)),)), attributes("x")) == "yes"


def test_nothing_is_left_after_clearing():
    kept: remembered.Remembered[str] = remembered.Remembered()
    at = attributes("x")
    kept.put(USER, at, "yes")
    kept.clear()
    assert kept.get(USER, at) is None


def test_keeps_a_bounded_number(monkeypatch):
    monkeypatch.setattr(remembered, "MOST", 10)
    kept: remembered.Remembered[str] = remembered.Remembered()
    for number in range(25):
        kept.put(USER, attributes(f"x-{number}"), str(number))
    assert kept.get(USER, attributes("x-24")) == "24"
    assert kept.get(USER, attributes("x-2")) is None


def test_objects_whose_place_is_taken_by_others_are_not_mixed_up():
    kept: remembered.Remembered[int] = remembered.Remembered()
    for number in range(200):
        # Each is forgotten by the caller at once: its id would be given away if it were not kept.
        kept.put(requests.User(f"u-{number}"), attributes(f"x-{number}"), number)
    assert [kept.get(requests.User(f"u-{n}"), attributes(f"x-{n}")) for n in range(200)] == list(range(200))
