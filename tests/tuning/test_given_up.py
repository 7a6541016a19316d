"""Searches that are given up, as trial after trial fails."""

import pathlib

import pytest
import toy_search

ALGORITHMS = ["random", "bayesian", "hyperband", "grid"]


def test_search_is_given_up_after_failures_in_a_row(
    tmp_path: pathlib.Path,
) -> None:
    limit = {"max_consecutive_failed_trials": 3}
    oracle = toy_search.oracle_in(tmp_path, **limit)
    statuses = ["FAILED", "FAILED", "COMPLETED", "FAILED", "FAILED"]
    for status in statuses:
        toy_search.end(oracle, oracle.create_trial("a"), status)
        assert oracle.given_up == ""
    last = oracle.create_trial("a")
    toy_search.end(
        oracle, last, "FAILED", message="Traceback\n  kl is not finite\n"
    )
    reason = "3 trials in a row failed, the last one, trial 5: kl is not finite"
    assert oracle.given_up == reason
    assert oracle.is_over
    stopped = oracle.create_trial("b")
    assert stopped.status == "STOPPED"
    stopped.to_proto()
    assert oracle.workers() == {"a": ""}
    again = toy_search.reloaded(tmp_path, **limit)
    assert again.given_up == reason
    assert again.create_trial("a").status == "STOPPED"
    more = toy_search.reloaded(
        tmp_path, max_consecutive_failed_trials=4, max_trials=7
    )
    assert more.given_up == ""
    assert more.create_trial("a").trial_id == "6"


def test_failures_without_a_message_and_a_busy_worker(
    tmp_path: pathlib.Path,
) -> None:
    oracle = toy_search.oracle_in(tmp_path, max_consecutive_failed_trials=1)
    first = oracle.create_trial("a")
    oracle.create_trial("b")
    assert not oracle.is_over
    toy_search.end(oracle, first, "FAILED")
    assert oracle.given_up == (
        "1 trials in a row failed, the last one, trial 0, without a message"
    )
    assert oracle.create_trial("b").status == "STOPPED"  # it was restarted
    assert oracle.workers() == {"a": ""}
    assert oracle.is_over


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_ten_failures_in_a_row_are_the_limit(algorithm: str) -> None:
    oracle = toy_search.make_oracle(algorithm)
    assert oracle.max_consecutive_failed_trials == 10
