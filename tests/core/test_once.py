"""A property that is worked out once."""

from dataclasses import dataclass, field

from autoscaler.core.once import once


@dataclass(frozen=True)
class Sum:
    parts: tuple[int, ...]
    asked: list[int] = field(default_factory=list)

    @once
    def total(self) -> int:
        """Of all parts."""
        self.asked.append(1)
        return sum(self.parts)


def test_it_is_worked_out_once_and_for_each_object():
    one, other = Sum((1, 2)), Sum((3,))
    assert (one.total, one.total, other.total) == (3, 3, 3)
    assert (one.asked, other.asked) == ([1], [1])


def test_asked_of_the_class_it_is_itself_with_its_words():
    assert Sum.total.__doc__ == "Of all parts."
