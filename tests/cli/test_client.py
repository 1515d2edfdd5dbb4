"""The program as a process against a served API: what it prints where, and how it ends."""

import json
import os
import pty
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from autoscaler.cli import main
from autoscaler.core import plain
from tests.web.conftest import TOKEN, FakeConsole, Served, held, operation, record, target

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]
ESCAPE = "\x1b["


def environment(**environ: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AUTOSCALER_")}
    return {**kept, "PYTHONPATH": str(ROOT), "LOGNAME": "ann", **environ}


def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "autoscaler", *arguments],
        cwd=ROOT,
        env=environment(**environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def served() -> Iterator[Served]:
    console = FakeConsole(shown=[target(), target("other", decision=None, nodes=None)])
    console.records["orders"] = [record(50), record(40, "out", "above_threshold"), record(30)]
    running = Served(console, TOKEN)
    yield running
    running.close()


def ask(served: Served, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return run(*arguments, AUTOSCALER_URL=served.url, **environ)


# Help, and how it ends.


def test_help_lists_the_commands_of_this_version_and_hides_the_others():
    shown = run("--help").stdout
    listed = re.findall(r"^  ([a-z]+)  ", shown.split("Commands:")[1], re.MULTILINE)

    assert listed == [name for name in main.COMMANDS if name not in main.NOT_YET]


def test_help_takes_less_than_half_a_second():
    def seconds() -> float:
        begun = time.perf_counter()
        run("--help")
        return time.perf_counter() - begun

    assert any(seconds() < 0.5 for _ in range(10))


@pytest.mark.parametrize("name", [name for name in main.COMMANDS if name not in main.NOT_YET])
def test_the_list_says_of_a_command_what_it_says_of_itself(name):
    own = " ".join(main.loaded(name).help.split("\n\n")[0].split())

    assert own.rstrip(".").startswith(main.COMMANDS[name].words.rstrip("."))


@pytest.mark.parametrize("name", main.NOT_YET)
def test_a_command_of_a_later_version_is_refused_by_name(name):
    ended = run(name, "TARGET", "--for", "2h")

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == f"error: autoscaler {name} is not in this version\n"


USAGE = {
    "no such command": ["statsu"],
    "no such option": ["status", "--fast"],
    "no target": ["explain"],
    "no reason": ["resolve", "orders", "--as", "succeeded"],
    "no such outcome": ["resolve", "orders", "--as", "done", "--reason", "x"],
    "a limit out of bounds": ["history", "orders", "--limit", "0"],
    "no time": ["explain", "orders", "--at", "noon"],
    "no duration": ["history", "orders", "--since", "long"],
    "no token file": ["resolve", "orders", "--as", "failed", "--reason", "x", "--token-file", "/no/such/file"],
    "no address": ["status", "--url", "localhost:9178"],
    "neither a target nor all": ["pause"],
    "a target and all": ["resume", "orders", "--all"],
    "a pause of no duration": ["pause", "orders", "--for", "long"],
    "a pause of no time": ["pause", "orders", "--for", "0s"],
    "a pause of less than no time": ["pause", "orders", "--for=-2h"],
    "an override without an end": ["override", "orders", "--nodes", "6", "--yes"],
    "an override without nodes": ["override", "orders", "--for", "2h", "--yes"],
    "an override of no time": ["override", "orders", "--nodes", "6", "--for", "0s", "--yes"],
}


@pytest.mark.parametrize("arguments", USAGE.values(), ids=USAGE)
def test_bad_usage_ends_with_2_and_says_so_on_stderr(arguments):
    ended = run(*arguments)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_version_is_one_line():
    ended = run("--version")

    assert ended.returncode == 0
    assert re.fullmatch(r"autoscaler \d+\.\d+\.\d+\n", ended.stdout)


def test_without_a_daemon_it_is_one_sentence_and_1():
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    ended = run("status", "--url", f"http://127.0.0.1:{port}", HTTP_PROXY="http://192.0.2.1:1")

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith(f"error: no daemon can be reached at http://127.0.0.1:{port} (")
    assert ended.stderr.count("\n") == 1


def test_something_else_at_the_address_is_told_apart(served):
    ended = run("status", "--url", f"{served.url}/metrics?")

    assert (ended.returncode, ended.stdout) == (1, "")
    assert "is not this daemon's API" in ended.stderr


@pytest.mark.parametrize("command", [["history"], ["explain"], ["resolve", "--as", "failed", "--reason", "x", "--yes"]])
def test_an_unknown_target_names_those_there_are(served, command):
    ended = ask(served, *command, "nope")

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "error: There is no target 'nope'; there are: orders, other.\n"


# status, history, explain.


def test_status_shows_a_line_for_each_target(served):
    head, first, second = ask(served, "status").stdout.splitlines()

    assert head.split() == ["target", "mode", "nodes", "min–max", "load", "operation", "last", "decision"]
    assert re.split(r"  +", first.strip()) == [
        "orders",
        "enforce",
        "3 → 4",
        "2–16",
        "cpu 81.2",
        "—",
        "held at 3 nodes: no rule wants a change (cpu 81.2)",
    ]
    assert "not evaluated yet" in second


@pytest.mark.parametrize(
    ("leader", "said"),
    [("ddm-1 (17)", "ddm-1 (17) leads"), ("", "which daemon leads is not known, if any does")],
    ids=["known", "unknown"],
)
def test_status_of_a_daemon_that_stands_by_says_so_first(served, leader, said):
    served.console.leader = leader

    ended = ask(served, "status")

    assert ended.stdout.startswith(f"This daemon stands by: {said}. It would refuse any change.\n\ntarget ")
    assert ended.returncode == 0


def test_status_tells_how_often_what_is_wanted_was_refused(served):
    refused = {"direction": "out", "times": 3, "since": "2026-11-23T09:57:00Z", "detail": "no such flavor"}
    served.console.shown = [target(refused=refused)]

    assert "out refused, 3 times in a row" in ask(served, "status").stdout


def test_status_as_json_is_the_apis_own(served):
    shown = json.loads(ask(served, "status", "--format", "json").stdout)

    assert shown["targets"][0] == target()


def test_history_lists_decisions_newest_first(served):
    lines = ask(served, "history", "orders", "--limit", "2").stdout.splitlines()

    assert [re.split(r"  +", line.strip()) for line in lines[1:]] == [
        ["2026-11-23 09:50:00", "hold", "held at 3 nodes: no rule wants a change (cpu 81.2)"],
        ["2026-11-23 09:40:00", "out", "scaling out from 3 to 4 nodes: cpu was 81.2, above its threshold"],
    ]


@pytest.mark.parametrize("since", ["20m", "2026-11-23T09:40:00Z", "2026-11-23T10:40:00+01:00", "2026-11-23T09:40:00"])
def test_history_since_a_duration_or_a_time_counts_by_the_daemons_clock(served, since):
    shown = json.loads(ask(served, "history", "orders", "--since", since, "--format", "json").stdout)

    assert [one["at"][11:16] for one in shown["decisions"]] == ["09:50", "09:40"]


def test_history_folds_equal_holds_and_all_unfolds_them(served):
    served.console.records["orders"] = [
        *(record(minute) for minute in (54, 53, 52)),
        record(40, "out", "above_threshold"),
    ]
    folded = ask(served, "history", "orders").stdout.splitlines()
    every = ask(served, "history", "orders", "--all").stdout.splitlines()

    assert [re.split(r"  +", line)[:2] for line in folded] == [
        ["at (UTC)", "decision"],
        ["2026-11-23 09:52:00 – 09:54:00", "hold ×3"],
        ["2026-11-23 09:40:00", "out"],
    ]
    assert [re.split(r"  +", line)[1] for line in every] == ["decision", "hold", "hold", "hold", "out"]
    assert [line for line in folded if line != line.rstrip()] == []


def test_what_observe_did_not_send_would_be_under_way(served):
    served.console.shown = [target(mode="observe", shadow_operation=operation("submitted", shadow=True))]

    assert "out by 1 would be under way (observe)" in ask(served, "status").stdout


EXPLAINED_MORE = {
    "the ceiling": ({"mode": "observe"}, {"mode": "observe"}, "observe (the policy says enforce; mode_ceiling"),
    "cooldowns": ({"cooldowns": {"out": 0.0, "in": 1800.0}}, {}, "in 30 min left"),
    "the day's limits": (
        {"last_day": {"added": 6, "actions": 2, "out_actions": 2}},
        {},
        "6 of 8 added_per_day used in",
    ),
    "nodes that are not ready": ({}, {"nodes": {"current": 3, "ready": 2, "min": 2, "max": 16}}, "3, 2 ready; min 2"),
}


@pytest.mark.parametrize(("more", "recorded", "words"), EXPLAINED_MORE.values(), ids=EXPLAINED_MORE)
def test_explain_shows_what_else_holds(served, more, recorded, words):
    served.console.shown = [target(**more)]
    served.console.records["orders"] = [record(50) | recorded]

    assert words in ask(served, "explain", "orders").stdout


def test_history_of_nothing_says_so(served):
    assert ask(served, "history", "other").stdout == "There is no decision of other in that time.\n"


EXPLAINED = {
    "the newest": ([], 50),
    "that time": (["--at", "2026-11-23T09:45:00Z"], 40),
    "exactly": (["--at", "2026-11-23T09:40:00Z"], 40),
    "a time of day": (["--at", "09:45"], 40),
}


@pytest.mark.parametrize(("arguments", "minute"), EXPLAINED.values(), ids=EXPLAINED)
def test_explain_shows_the_decision_that_held(served, arguments, minute):
    shown = json.loads(ask(served, "explain", "orders", *arguments, "--format", "json").stdout)

    assert shown["at"] == f"2026-11-23T09:{minute}:00Z"


def test_explain_begins_with_one_sentence_and_goes_on_with_rules_and_stages(served):
    lines = ask(served, "explain", "orders", "--at", "2026-11-23T09:40:00Z").stdout.splitlines()

    assert lines[0] == (
        "2026-11-23 09:40:00 UTC  orders: scaling out from 3 to 4 nodes: cpu was 81.2, above its threshold."
    )
    assert [re.split(r"  +", line.strip())[:3] for line in lines[1:]] == [
        [""],
        ["rule", "cpu", "wants 4"],
        [""],
        ["stages", "3 nodes → combine 4 (cpu)"],
        ["nodes", "3, 2 ready; min 2, max 16"],
        ["mode", "enforce"],
        ["policy", "policies/orders.yaml:4"],
    ]


def test_explain_before_the_first_decision_says_so_and_ends_with_1(served):
    ended = ask(served, "explain", "orders", "--at", "2026-11-22T00:00:00Z")

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        "error: there is no decision of orders at or before 2026-11-22 00:00:00 UTC; "
        "the first is of 2026-11-23 09:30:00 UTC\n"
    )


def test_a_daemon_in_trouble_is_quoted(served):
    served.console.broken = "state/autoscaler.db: the disk is gone"
    ended = ask(served, "history", "orders")

    assert (ended.returncode, ended.stderr) == (1, "error: state/autoscaler.db: the disk is gone\n")


# resolve.

RESOLVE = ("resolve", "orders", "--as", "succeeded", "--reason", "it is there")


@pytest.fixture
def stuck(served: Served) -> Served:
    served.console.shown = [target(operation=operation("unknown"))]
    return served


WHO = "ann (token, from 127.0.0.1)"
RESOLVED = [("resolve", "orders", "succeeded", "it is there", WHO)]


def test_resolve_closes_the_operation_and_says_what_it_was(stuck):
    ended = ask(stuck, *RESOLVE, "--yes", AUTOSCALER_SERVER__TOKEN=TOKEN)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == (
        "operation op-1 of orders is succeeded (out by 1, unknown since 2026-11-23T09:50:00Z before)\n"
    )
    assert stuck.console.asked == RESOLVED


OVERRIDE = ("override", "orders", "--nodes", "6", "--for", "2h", "--reason", "a sale")


@pytest.mark.parametrize("command", [RESOLVE, OVERRIDE], ids=lambda command: command[0])
def test_where_nobody_can_be_asked_what_cannot_be_taken_back_needs_a_yes(stuck, command):
    ended = ask(stuck, *command, AUTOSCALER_SERVER__TOKEN=TOKEN)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "--yes: is needed where there is no terminal to ask\n"
    assert stuck.console.asked == []


def test_resolve_takes_the_token_from_a_file(stuck, tmp_path):
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    ended = ask(stuck, *RESOLVE, "--yes", "--token-file", str(file), "--format", "json")

    assert json.loads(ended.stdout)["state"] == "succeeded"


@pytest.mark.parametrize(
    ("token", "words"), [("", "needs the daemon's token"), ("wrong", "is not the daemon's")], ids=["none", "wrong"]
)
@pytest.mark.parametrize("command", [(*RESOLVE, "--yes"), ("pause", "orders")], ids=["resolve", "pause"])
def test_without_the_right_token_nothing_is_changed_and_it_is_said_why(stuck, command, token, words):
    ended = ask(stuck, *command, **({"AUTOSCALER_SERVER__TOKEN": token} if token else {}))

    assert (ended.returncode, ended.stdout) == (1, "")
    assert words in ended.stderr
    assert "closed" not in ended.stderr
    assert stuck.console.asked == []


def test_resolve_of_a_running_job_is_refused_with_the_daemons_sentence(stuck):
    stuck.console.refusal = "job 7 (EnlargeNode) of the instance is running"
    ended = ask(stuck, *RESOLVE, "--yes", AUTOSCALER_SERVER__TOKEN=TOKEN)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "error: job 7 (EnlargeNode) of the instance is running\n"


def test_resolve_without_an_open_operation_asks_for_nothing(served):
    ended = ask(served, *RESOLVE, "--yes", AUTOSCALER_SERVER__TOKEN=TOKEN)

    assert (ended.returncode, served.console.asked) == (1, [])
    assert ended.stderr == "error: orders has no open operation; there is nothing to resolve\n"


# What others wrote.


def test_nothing_that_others_wrote_is_obeyed_by_a_terminal(served):
    """Also what an earlier version has stored, or the cloud has said."""
    nasty = "\x1b[31mred\x1b]0;title\x07\x9b31m\u202e"
    shown = target(pauses=[held(all=False, who=nasty, reason=nasty)], mode=nasty, operation=operation(detail=nasty))
    served.console.shown = [shown]
    served.console.notes = [nasty]

    said = [ask(served, *words, AUTOSCALER_SERVER__TOKEN=TOKEN) for words in (["status"], ["pause", "orders"])]
    as_json = ask(served, "status", "--format", "json")
    served.console.refusal = nasty
    refused = ask(served, "pause", "orders", AUTOSCALER_SERVER__TOKEN=TOKEN)

    assert [one.returncode for one in (*said, as_json, refused)] == [0, 0, 0, 1]
    for one in (*said, as_json, refused):
        assert not [char for char in one.stdout + one.stderr if char != "\n" and plain.is_obeyed(char)]
    assert "[31mred" in said[0].stdout
    assert json.loads(as_json.stdout)["targets"] == [shown]


# pause, resume, override.

FOR_TWO_HOURS = "until 2026-11-23 12:00 UTC (2 h 0 min left)"
TWO_HOURS = timedelta(hours=2)
BY_HAND = {
    "pause": (
        ["pause", "orders"],
        ("pause", "orders", None, "", WHO),
        f"orders: paused by {WHO} until it is resumed\n",
    ),
    "pause for a while": (
        ["pause", "orders", "--for", "2h", "--reason", "a move"],
        ("pause", "orders", TWO_HOURS, "a move", WHO),
        f"orders: paused by {WHO} {FOR_TWO_HOURS}: a move\n",
    ),
    "pause all": (
        ["pause", "--all"],
        ("pause", None, None, "", WHO),
        f"all targets are paused by {WHO} until it is resumed\n",
    ),
    "resume": (["resume", "orders"], ("resume", "orders", False, False, "", WHO), "orders: 2 pauses ended\n"),
    "resume, all of it": (
        ["resume", "orders", "--breaker", "--override", "--reason", "it moved"],
        ("resume", "orders", True, True, "it moved", WHO),
        "orders: 2 pauses ended, 1 override ended, breaker closed\n",
    ),
    "resume all": (["resume", "--all"], ("resume", None, False, False, "", WHO), "2 pauses ended\n"),
    "override": (
        [*OVERRIDE, "--yes"],
        ("override", "orders", 6, TWO_HOURS, "a sale", WHO),
        f"orders: 6 nodes set by hand by {WHO} {FOR_TWO_HOURS}: a sale\n",
    ),
}


@pytest.mark.parametrize(("arguments", "asked", "said"), BY_HAND.values(), ids=BY_HAND)
def test_what_an_operator_does_by_hand_is_told_as_it_holds(served, arguments, asked, said):
    served.console.paused = 2
    ended = ask(served, *arguments, AUTOSCALER_SERVER__TOKEN=TOKEN)

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, said, "")
    assert served.console.asked == [asked]


@pytest.mark.parametrize(("place", "said"), [("orders", "orders: was not paused\n"), ("--all", "nothing was paused\n")])
def test_resuming_what_is_not_paused_says_so(served, place, said):
    assert ask(served, "resume", place, AUTOSCALER_SERVER__TOKEN=TOKEN).stdout == said


def test_what_the_daemon_notes_goes_to_stderr(served):
    served.console.notes = ["orders is in observe: nothing is sent"]
    ended = ask(served, *OVERRIDE, "--yes", AUTOSCALER_SERVER__TOKEN=TOKEN)

    assert ended.stderr == "note: orders is in observe: nothing is sent\n"


def test_a_refusal_by_the_daemon_is_a_sentence_and_1(served):
    served.console.refusal = "all targets are paused (by ann), so orders alone cannot be resumed"
    ended = ask(served, "resume", "orders", AUTOSCALER_SERVER__TOKEN=TOKEN)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "error: all targets are paused (by ann), so orders alone cannot be resumed\n"


def test_the_daemons_own_answer_is_given_as_json(served):
    shown = json.loads(ask(served, "pause", "--all", "--format", "json", AUTOSCALER_SERVER__TOKEN=TOKEN).stdout)

    assert (shown["target"], shown["pauses"][0]["all"]) == (None, True)


def test_status_tells_what_holds_by_hand_and_a_pause_of_all_once(served):
    of_all = held(all=True, who="ann")
    served.console.shown = [
        target(pauses=[held(all=False, until="2026-11-23T12:00:00Z", reason="a move"), of_all]),
        target("other", pauses=[of_all], override=held(nodes=6, until="2026-11-23T12:00:00Z", who="bob")),
    ]

    assert ask(served, "status").stdout.splitlines()[-3:] == [
        f"orders: paused {FOR_TWO_HOURS}: a move",
        "all targets are paused by ann until it is resumed",
        f"other: 6 nodes set by hand by bob {FOR_TWO_HOURS}",
    ]


# Terminals and pipes.


def on_terminal(*arguments: str, typed: str = "", **environ: str) -> tuple[int, str]:
    """How it ends, and what a terminal shows of it."""
    ours, its = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "autoscaler", *arguments],
        cwd=ROOT,
        env=environment(TERM="xterm-256color", **environ),
        stdin=its,
        stdout=its,
        stderr=its,
    ) as process:
        os.close(its)
        os.write(ours, typed.encode())
        shown = b""
        while chunk := _read(ours):
            shown += chunk
        code = process.wait(60)
    os.close(ours)
    return code, shown.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # how Linux says that the other side has closed
        return b""


@pytest.mark.parametrize(("typed", "code", "asked"), [("n\n", 1, []), ("y\n", 0, RESOLVED)], ids=["no", "yes"])
def test_resolve_asks_on_a_terminal(stuck, typed, code, asked):
    ended, shown = on_terminal(*RESOLVE, typed=typed, AUTOSCALER_URL=stuck.url, AUTOSCALER_SERVER__TOKEN=TOKEN)

    assert "Go on? [y/N]" in shown
    assert (ended, stuck.console.asked) == (code, asked)


@pytest.mark.parametrize(("typed", "code", "asked"), [("n\n", 1, 0), ("y\n", 0, 1)], ids=["no", "yes"])
def test_override_asks_on_a_terminal(served, typed, code, asked):
    ended, shown = on_terminal(*OVERRIDE, typed=typed, AUTOSCALER_URL=served.url, AUTOSCALER_SERVER__TOKEN=TOKEN)

    assert "orders (3 now, 2 to 16 allowed) is set to 6 nodes for 2h." in shown
    assert (ended, len(served.console.asked)) == (code, asked)


def test_resolve_does_not_ask_where_the_answer_is_given(stuck):
    ended, shown = on_terminal(*RESOLVE, "--yes", AUTOSCALER_URL=stuck.url, AUTOSCALER_SERVER__TOKEN=TOKEN)

    assert (ended, "Go on?" in shown) == (0, False)


def test_a_pipe_gets_no_colour_and_a_terminal_does(served):
    assert ESCAPE not in ask(served, "status").stdout
    assert ESCAPE in on_terminal("status", AUTOSCALER_URL=served.url)[1]


def test_no_color_is_obeyed(served):
    shown = on_terminal("status", AUTOSCALER_URL=served.url, NO_COLOR="1")[1]

    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", shown)


def test_a_reader_that_goes_away_is_no_error(served):
    served.console.records["orders"] = [record(50)] * 1000
    command = f"{sys.executable} -m autoscaler history orders --limit 1000 --format json | head -c 1"
    ended = subprocess.run(
        ["/bin/sh", "-c", command],
        env=environment(AUTOSCALER_URL=served.url),
        capture_output=True,
        timeout=60,
        check=False,
    )

    assert (ended.stdout, ended.stderr) == (b"{", b"")


# What was not foreseen.


def unforeseen(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(main, "build", lambda: lambda **_: fail())


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ZeroDivisionError("by zero"), 1, "this should not have happened (ZeroDivisionError: by zero)"),
        (KeyboardInterrupt(), 130, ""),
    ],
    ids=["a bug", "interrupted"],
)
def test_what_was_not_foreseen_is_a_sentence_and_no_traceback(monkeypatch, capsys, error, code, words):
    unforeseen(monkeypatch, error)
    with pytest.raises(SystemExit) as ended:
        main.main([])

    shown = capsys.readouterr().err
    assert ended.value.code == code
    assert words in shown
    assert "Traceback" not in shown


def test_with_debug_the_traceback_of_a_bug_is_shown(tmp_path):
    script = tmp_path / "broken.py"
    script.write_text(
        "from autoscaler.cli import client, main\nclient.DaemonApi = None\nmain.main(['--debug', 'status'])\n"
    )
    ended = subprocess.run(
        [sys.executable, str(script)], env=environment(), capture_output=True, text=True, timeout=60, check=False
    )

    assert ended.returncode == 1
    assert "Traceback" in ended.stderr
    assert "TypeError" in ended.stderr
