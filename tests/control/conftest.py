"""A house for each test."""

import pytest

from tests.control.house import House


@pytest.fixture
async def house() -> House:
    return House()
