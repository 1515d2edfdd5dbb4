"""Which YAML is read, as what, and what is said about the rest."""

from decimal import Decimal

import pytest
import yaml

from autoscaler import errors
from autoscaler.yamlfile import reader

WORDS = {
    "off": "off",
    "no": "no",
    "Yes": "Yes",
    "012": 12,
    "-7": -7,
    "0o14": 12,
    "0x1F": 31,
    "1_000": "1_000",
    "12:30": "12:30",
    "2026-11-23": "2026-11-23",
    "75.10": Decimal("75.10"),
    ".5": Decimal("0.5"),
    "1e3": Decimal(1000),
    "-.inf": Decimal("-Infinity"),
    "~": None,
    "Null": None,
    "nULL": "nULL",
    "TRUE": True,
    "false": False,
    "tRUE": "tRUE",
    "'12'": "12",
    '"true"': "true",
    "!!str 12": "12",
    "50%": "50%",
}


@pytest.mark.parametrize(("text", "value"), WORDS.items(), ids=WORDS)
def test_words_are_those_of_yaml_1_2(text, value):
    read = reader.parse(f"a: {text}", "f").plain()["a"]
    assert read == value
    assert type(read) is type(value)


def test_a_decimal_keeps_the_digits_that_were_written():
    assert str(reader.parse("a: 75.10", "f").plain()["a"]) == "75.10"


def test_every_value_knows_its_line_column_and_path():
    tree = reader.parse("\ufeffa:\n  - x\n  - b: [ü, 1]\n", "f.yaml")
    inner = tree.at("a", 1, "b", 1)
    assert inner is not None
    assert (str(inner.place), inner.place.path) == ("f.yaml:3:12", "a[1].b[1]")
    holder = tree.at("a", 1, "b")
    assert holder is not None
    assert (str(holder.key), holder.key.path) == ("f.yaml:3:5", "a[1].b")


MANY = "a: &a [1]\n" + "".join(f"b{index}: *a\n" for index in range(101))
BOMB = "a0: &a0 [1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"a{index + 1}: &a{index + 1} [{','.join([f'*a{index}'] * 9)}]\n" for index in range(9)
)
NO_MAPPING = "mapping values are not allowed in this context"
TOO_LARGE = (
    "a number of this size is not read; at most 40 characters and an exponent of 100 are, and text belongs in quotes"
)
REFUSED: dict[str, tuple[str | bytes, list[str]]] = {
    "empty": ("", ["f: the file is empty; it must hold a mapping of keys"]),
    "only a comment": ("# nothing\n", ["f: the file is empty; it must hold a mapping of keys"]),
    "a tab": (
        "a:\n\tb: 1\n",
        [
            "f:2:1: is not valid YAML: a tab where spaces belong; indent with spaces, not with a tab",
        ],
    ),
    "a colon in a text": (
        "a: b: c\n",
        [f"f:1:5: is not valid YAML: {NO_MAPPING}; check the indentation, and quote a text that holds a colon"],
    ),
    "an open list": (
        "a: [1\nb: 2\n",
        ["f:1:4: is not valid YAML: the [ that is opened here is not closed; close it with ]"],
    ),
    "an open quote": (
        "a: 'x\n",
        ["f:1:4: is not valid YAML: the quote that is opened here is never closed; close it"],
    ),
    "a quote that the next one closes": (
        "a:\n  b: 'x\n  c: 1\n  d: 'y'\n",
        [
            "f:2:6: is not valid YAML: the quote that is opened here is closed only in line 4; close it sooner",
        ],
    ),
    "an open mapping": (
        "a: {b: 1\nc: 2\n",
        ["f:1:4: is not valid YAML: the { that is opened here is not closed; close it with }"],
    ),
    "an open list to the end": (
        "a: [1, 2\n",
        ["f:1:4: is not valid YAML: the [ that is opened here is not closed; close it with ]"],
    ),
    "an error inside a mapping of one line": (
        "a: {b: 1 c: 2}\n",
        ["f:1:11: is not valid YAML: did not find expected ',' or '}'; close the mapping with }"],
    ),
    "no space after a colon, and a key on the next line": (
        "a:\n  b:x\n  c: 1\n",
        ["f:2:3: is not valid YAML: `b:` needs a space after the colon; write b: x"],
    ),
    "no space after the last colon of a mapping": (
        "a:\n  b: 1\n  c:x\nd: 1\n",
        ["f:3:3: is not valid YAML: `c:` needs a space after the colon; write c: x"],
    ),
    "an address is no key without a space": (
        "a: http://x: 1\n",
        [f"f:1:12: is not valid YAML: {NO_MAPPING}; check the indentation, and quote a text that holds a colon"],
    ),
    "a second document": ("a: 1\n---\nb: 2\n", ["f:2:1: a second document; give it a file of its own"]),
    "latin-1": (b"a: 1\nb: \xe4\n", ["f:2:4: the file is not UTF-8; save it as UTF-8"]),
    "UTF-16": ("a: 1".encode("utf-16"), ["f:1:1: the file is not UTF-8; save it as UTF-8"]),
    "a control character": ("a: \x07\n", ["f:1:4: the character U+0007 is not allowed; remove it"]),
    "a key twice": ("a: 1\nb: {c: 1, c: 2}\n", ["f:2:11: b.c: is here twice, first at f:2:5; keep one of them"]),
    "a merge": ("a: {<<: {b: 1}}\n", ["f:1:5: a: `<<` merges are not read; use defaults, or repeat the keys"]),
    "a number as key": ("12: a\n", ["f:1:1: `12` cannot be a key; a key is a text, so put it in quotes"]),
    "a list as key": ("? [a]\n: b\n", ["f:1:3: this cannot be a key; a key is a text, so put it in quotes"]),
    "a tag": ("a: !thing 1\n", ["f:1:4: a: the tag !thing is not read; write the value without a tag"]),
    "a recursive alias": ("a: &a [*a]\n", ["f:1:8: a[0]: *a: an alias of a value that holds it; write the value out"]),
    "an unknown alias": ("a: *b\n", ["f:1:4: a: *b: no such anchor stands above it; write the value out"]),
    "too many aliases": (MANY, ["f:102:7: b100: more than 100 aliases; use defaults, or repeat the value"]),
    "aliases of aliases": (BOMB, ["f:6:10: a5[0]: aliases stand for more than 100000 values; write them out"]),
    "an absurd number": (
        "a: 1e999999999\n",
        [f"f:1:4: a: {TOO_LARGE}"],
    ),
    "all at once": (
        "a: 1\na: 2\n<<: {}\n",
        [
            "f:2:1: a: is here twice, first at f:1:1; keep one of them",
            "f:3:1: `<<` merges are not read; use defaults, or repeat the keys",
        ],
    ),
}


@pytest.mark.parametrize(("content", "expected"), REFUSED.values(), ids=REFUSED)
def test_anything_else_is_one_clear_sentence(content, expected):
    with pytest.raises(errors.BadConfig) as refused:
        reader.parse(content, "f")
    assert str(refused.value).splitlines() == expected


@pytest.mark.parametrize("opening", ["[", "{a: "])
def test_a_file_cannot_nest_without_end(opening):
    with pytest.raises(errors.BadConfig, match="nested deeper than 40 levels"):
        reader.parse(opening * 200_000, "f")


def test_a_file_cannot_be_of_any_size():
    with pytest.raises(errors.BadConfig, match="longer than 16 MiB"):
        reader.parse(b"a" * (reader.MAX_BYTES + 1), "f")


def test_a_file_that_cannot_be_read_says_why(tmp_path):
    for path, reason in ((tmp_path / "no.yaml", "there is no such file"), (tmp_path, "this is a directory")):
        with pytest.raises(errors.BadConfig, match=reason):
            reader.read(path)


def test_without_the_c_loader_the_same_is_read(monkeypatch):
    monkeypatch.delattr(yaml, "CSafeLoader")
    tree = reader.parse("a: {b: [off, 012, 'x']}\n", "f")
    assert tree.plain() == {"a": {"b": ["off", 12, "x"]}}
    with pytest.raises(errors.BadConfig, match="`<<` merges"):
        reader.parse("<<: {}\n", "f")
