"""Where an output begins to be otherwise, in words."""

import io
import math

import numpy as np

from fourfold.evidence.verifying.matching import first_of
from fourfold.formats.likeness import reading
from fourfold.formats.likeness.model import compare
from fourfold.formats.likeness.tensors import distance


def saved(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def test_the_place_of_a_complex_number_is_that_of_the_number_not_of_its_part() -> None:
    before = np.zeros((2, 3), np.complex128)
    for part, told in ((1.5, ("0", "1.5")), (2.5j, ("0", "2.5"))):
        after = before.copy()
        after[1, 0] = part
        (found,) = compare(*(reading.read_bytes(saved(array), "a.npy") for array in (before, after)))
        one, other = found.leaves
        assert one is not None
        assert other is not None
        apart = distance(one, other)
        assert math.isclose(apart.absolute, abs(part))
        first = first_of(found, apart)
        assert (first.at, first.before, first.after) == ((1, 0), *told)
