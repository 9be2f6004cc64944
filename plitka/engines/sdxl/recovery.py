"""When an engine that ran out of memory takes up again what it gave up."""

from plitka.engines.sdxl.memory_plan import PLANS, MemoryPlan, Needs

_FIRST, _LAST = 4, 256  # pictures


class Recovery:
    """Counts the pictures before which there was room for the faster memory plan again.

    Not the first of them goes back to it: a neighbour that works in turns would be met again, and
    each time costs an attempt. So 4 pictures in a row must find the room, and twice as many each
    further time that memory runs out.
    """

    def __init__(self) -> None:
        self._given_up: MemoryPlan | None = None
        self._found = 0
        self._asked = _FIRST // 2

    def give_up(self, plan: MemoryPlan) -> None:
        """Remember that memory ran out with a plan, and that a smaller one is taken for it."""
        if self._given_up is None or _rank(plan) < _rank(self._given_up):
            self._given_up = plan
        self._asked = min(2 * self._asked, _LAST)
        self._found = 0

    def choose(self, plan: MemoryPlan, room: int, needed: Needs, controlnets: int) -> MemoryPlan:
        """Choose the memory plan of the next picture: the same, or a faster one that was given up.

        plan: of the pictures so far. room: bytes that the engine could have on the device.
        controlnets: how many are loaded.
        """
        faster = self._find_faster(plan, room, needed, controlnets)
        self._found = 0 if faster is None else self._found + 1
        if faster is None or self._found <= self._asked:
            return plan
        if faster == self._given_up:
            self._given_up = None
        self._found = 0
        return faster

    @property
    def is_due(self) -> bool:
        """Whether anything was given up."""
        return self._given_up is not None

    def _find_faster(
        self, plan: MemoryPlan, room: int, needed: Needs, controlnets: int
    ) -> MemoryPlan | None:
        if self._given_up is None:
            return None
        beside = needed.controlnet * max(controlnets - 1, 0)
        between = tuple(PLANS)[_rank(self._given_up) : _rank(plan)]
        return next((one for one in between if needed.of(one) + beside <= room), None)


def _rank(plan: MemoryPlan) -> int:
    return tuple(PLANS).index(plan)
