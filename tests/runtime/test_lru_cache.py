from plitka.runtime.lru_cache import LruCache


def test_the_value_used_longest_ago_is_forgotten() -> None:
    made: list[str] = []
    cache: LruCache[str, str] = LruCache(2)

    def get(key: str) -> str:
        def make() -> str:
            made.append(key)
            return key.upper()

        return cache.get(key, make)

    assert [get(key) for key in "abacab"] == list("ABACAB")
    assert made == ["a", "b", "c", "b"]


def test_a_capacity_of_0_keeps_nothing() -> None:
    cache: LruCache[str, object] = LruCache(0)
    assert cache.get("a", object) is not cache.get("a", object)
