from collections.abc import Callable

from plitka.runtime.lru_cache import LruCache


def test_the_value_used_longest_ago_is_forgotten() -> None:
    made: list[str] = []
    cache: LruCache[str, str] = LruCache(2)

    def make(key: str) -> Callable[[], str]:
        def value() -> str:
            made.append(key)
            return key.upper()

        return value

    for key in ("a", "b", "a", "c", "a", "b"):
        assert cache.get(key, make(key)) == key.upper()
    assert made == ["a", "b", "c", "b"]


def test_a_capacity_of_0_keeps_nothing() -> None:
    cache: LruCache[str, object] = LruCache(0)
    assert cache.get("a", object) is not cache.get("a", object)
