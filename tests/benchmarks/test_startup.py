"""What the benchmark of start-up says of what it measured."""

from tests.benchmarks import startup


def test_table_holds_medians_limits_and_ratios() -> None:
    text = startup.table({
        "import tensorflow": [4.0, 9.0, 3.0],
        "--help": [0.25, 0.1, 0.3],
        "digits: data loaded, model built": [6.0, 5.0, 8.0],
    })  # fmt: skip
    assert text.splitlines()[-3:] == [
        "| import tensorflow | 4.00 (3.00..9.00) |  | 1.00 |",
        "| --help | 0.25 (0.10..0.30) | 0.5 | 0.06 |",
        "| digits: data loaded, model built | 6.00 (5.00..8.00) |  | 1.50 |",
    ]
