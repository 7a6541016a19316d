"""Messages of the server's text files that its Python package lacks."""

import pathlib

import pytest

from export import text_messages

RECORDED = pathlib.Path(__file__).parent / "recorded" / "config"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("monitoring", "/monitoring/prometheus/metrics"),
        ("monitoring_own_path", "/own/metrics"),
    ],
)
def test_recorded_monitoring_file_is_read(name: str, path: str) -> None:
    text = (RECORDED / f"{name}.config").read_text()
    config = text_messages.read("MonitoringConfig", text).prometheus_config
    assert (config.enable, config.path) == (True, path)


def test_tls_file_is_read() -> None:
    config = text_messages.read(
        "SSLConfig",
        "server_key: 'a\\nb' server_cert: 'c' custom_ca: 'd' client_verify: 1",
    )
    assert (config.server_key, config.server_cert) == ("a\nb", "c")
    assert (config.custom_ca, config.client_verify) == ("d", True)
    empty = text_messages.read("SSLConfig", "")
    assert (empty.server_key, empty.client_verify) == ("", False)


def test_what_is_given_is_in_a_new_message() -> None:
    made = text_messages.make("PrometheusConfig", enable=True, path="/here")
    assert (made.enable, made.path) == (True, "/here")
    again = text_messages.make("PrometheusConfig")
    assert (again.enable, again.path) == (False, "")


def test_other_text_is_refused() -> None:
    with pytest.raises(ValueError, match='no field named "key"'):
        text_messages.read("SSLConfig", "key: 'a'")
