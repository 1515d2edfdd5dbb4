"""What is wrong with the value of an option, in our words."""

import pytest

from autoscaler.cli import main

WRONG = {
    "check --format xml": "'--format': 'xml' is not allowed; allowed: 'text', 'json'",
    "emulator --port abc": "'--port': it must be a whole number",
    "emulator --port 70000": "'--port': it must be 65532 or less",
    "history orders --limit 0": "'--limit': it must be 1 or more",
    "demo --speed fast": "'--speed': it must be a number",
}


@pytest.mark.parametrize(("line", "expected"), WRONG.items(), ids=WRONG)
def test_a_value_that_is_not_allowed_is_told_with_what_is(line, expected, capsys):
    with pytest.raises(SystemExit) as ended:
        main.main(line.split())
    said = " ".join(capsys.readouterr().err.split())
    assert ended.value.code == 2
    assert said.endswith(f"Error: Invalid value for {expected}")
