"""Every rejected copy of a submission with updates or layers: its finding, and no other."""

import pytest

from tests.vectors.chains import IDS
from tests.vectors.rejection import assert_only_the_defect, judged, readable

NAMES = [(base, name) for base in IDS for name in readable(base)]


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    return {base: judged(base, tmp_path_factory) for base in IDS}


@pytest.mark.parametrize(("base", "name"), NAMES)
def test_the_one_defect_is_found_and_no_other(base, name, reports):
    assert_only_the_defect(name, *reports[base])
