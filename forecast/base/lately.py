"""What a process holds of what it made: the things used last, by what they were made from."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable


class Lately[Made]:
    """The ``most`` things that were asked for last; several threads may ask, and one makes at a time."""

    def __init__(self, most: int) -> None:
        """Begin with nothing made."""
        self._most = most
        self._kept: OrderedDict[Hashable, Made] = OrderedDict()
        self._lock = Lock()

    def get(self, name: Hashable, make: Callable[[], Made]) -> Made:
        """Give what is held under a name, or ``make`` it; what was asked for longest ago is let go."""
        with self._lock:
            if name not in self._kept:
                self._kept[name] = make()
            self._kept.move_to_end(name)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
            return self._kept[name]
