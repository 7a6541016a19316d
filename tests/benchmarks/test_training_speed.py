"""The arithmetic of the comparisons; needs no peer."""

import configparser
import pathlib

import pytest

from tests.benchmarks import (
    __main__,
    contestants,
    flops,
    rounds,
    training_speed,
)
from tests.benchmarks.contestants import Run
from tfvae.errors import FailedError, InputError

ROOT = pathlib.Path(__file__).parents[2]
PEAK = {"library": "numpy", "size": 512, "flops": 1e9}


def _run(*epochs: tuple[float, float, float], seconds: float = 20.0) -> Run:
    """Returns a run of (seconds, elbo, since_start) an epoch, 100 images."""
    rows = [
        {
            "epoch": number, "loss": 3.0, "elbo": elbo, "images": 100,
            "seconds": trained, "since_start": since_start,
        }
        for number, (trained, elbo, since_start) in enumerate(epochs, 1)
    ]  # fmt: skip
    return Run(rows, seconds)


FAST = _run((9.0, -120, 10), (1.0, -105, 12), (3.0, -100, 17))
SLOW = _run((9.0, -120, 10), (4.0, -110, 15), (4.0, -106, 19))


def test_flop_of_each_network_are_those_counted_by_hand() -> None:
    weights = 784 * 512 + 512 * 512 + 512 * 32
    weights += 16 * 512 + 512 * 512 + 512 * 784
    assert flops.per_image("mlp") == 6 * weights == 8_110_080
    assert flops.per_image("conv") == 39_965_568
    assert flops.first_input_gradient("mlp") == 2 * 401_408
    assert flops.first_input_gradient("conv") == 2 * 56_448


def test_first_epoch_does_not_count_as_throughput() -> None:
    assert FAST.images_per_second == 200 / 4.0


def test_quality_is_reached_at_the_first_epoch_that_is_good_enough() -> None:
    assert FAST.seconds_to(-105.0) == 12
    assert SLOW.seconds_to(-105.0) is None


def test_contestants_take_turns() -> None:
    turns = []

    def measure(name: str, number: int) -> int:
        turns.append((name, number))
        return 10 * number

    found = rounds.interleave(["a", "b"], measure, 2)
    assert turns == [("a", 1), ("b", 1), ("a", 2), ("b", 2)]
    assert found == {"a": [10, 20], "b": [10, 20]}


def test_spread_is_of_the_median() -> None:
    assert rounds.spread([9, 1000, 20.4], ",.0f") == "20 (9..1,000)"


def test_table_is_markdown() -> None:
    lines = rounds.table("**T**", ["", "b"], [["x", "1"]]).splitlines()
    assert lines == ["**T**", "", "|  | b |", "| --- | --- |", "| x | 1 |"]


def test_fastest_comes_first_and_ratios_are_to_tfvae() -> None:
    runs = {"tfvae": [SLOW] * 3, "jax_scan": [FAST] * 3}
    lines = training_speed.speed_table("mlp", runs, PEAK).splitlines()
    assert "8.11 MFLOP" in lines[0]
    assert lines[4:] == [
        "| jax_scan | 50 (50..50) | 2.00 | 41% | 3.00 | -100.00 |",
        "| tfvae | 25 (25..25) | 1.00 | 20% | 3.00 | -106.00 |",
    ]


def test_who_never_gets_there_comes_last() -> None:
    runs = {"tfvae": [FAST, SLOW], "jax_scan": [FAST, FAST]}
    lines = training_speed.quality_table(runs).splitlines()
    assert lines[4:] == [
        "| jax_scan | 12.0 (12.0..12.0) | 10.0 | 20.0 |",
        "| tfvae | never | 10.0 | 20.0 |",
    ]


def test_peer_that_is_not_installed_is_named_and_left_out(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    absent = contestants.Peer("absent", "no_such_package")
    monkeypatch.setitem(contestants.PEERS, "absent", absent)
    settings = rounds.Settings(ROOT, "", 1, None, ["tfvae", "absent"])
    assert contestants.choose(settings) == ["tfvae"]
    assert "no_such_package is not installed" in capfd.readouterr().err


def test_every_peer_has_its_file_and_its_package_among_the_extras() -> None:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    extras = parser["options.extras_require"]["peers"].split()
    listed = {line.partition(">")[0] for line in extras}
    assert {peer.package for peer in contestants.PEERS.values()} == listed
    folder = ROOT / "tests" / "benchmarks" / "peers"
    for peer in contestants.PEERS.values():
        assert (folder / f"{peer.module}.py").exists()


def test_failed_process_names_its_log(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    peer = contestants.Peer("no_such_module", "numpy")
    monkeypatch.setitem(contestants.PEERS, "broken", peer)
    with pytest.raises(FailedError, match=r"no_such_module failed; see .*err"):
        contestants.train(
            "broken", "mlp", epochs=2, data="", folder=tmp_path / "broken"
        )


@pytest.mark.parametrize("flag", ["--rounds=0", "--epochs=1", "--epochs=0"])
def test_too_few_to_measure_is_refused(flag: str) -> None:
    with pytest.raises(InputError, match="`rounds` must be at least 1 and"):
        __main__.main(["benchmarks", flag])
