"""`cdkd profile`: the counted table, the JSON records, and a real measurement of a small case."""

import json

import pytest
from click.testing import CliRunner

from cdkd.cli.profile import command
from cdkd.models.devices import DeviceError
from cdkd.models.errors import ModelError


def _run(*arguments):
    result = CliRunner().invoke(command, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_json_records_of_the_papers_networks():
    names = ["student-tsm-baseline", "student-tsm", "teacher-tsm-8f", "teacher-tdn-16f"]
    records = json.loads(_run(*names, "--views", 6, "--json"))
    assert [record["name"] for record in records] == names
    assert [round(record["gmacs_per_view"], 1) for record in records] == [52.9, 58.2, 32.7, 71.3]
    assert [round(record["gmacs_per_video"]) for record in records] == [317, 349, 196, 428]
    assert records[2]["parameters"] == 24_327_632
    assert records[0]["measured"] is None


def test_the_table_sets_ours_beside_the_published_and_says_what_cannot_be_reproduced():
    output = _run("student-tdn-baseline", "teacher-tsm-8f")
    assert "86.0" in output
    assert "follows from no number of P-frames" in output
    assert "32.7         33.0         -0.9%             24.33" in output


def test_a_measurement():
    record = json.loads(_run("teacher-s3d", "--measure", "--size", 32, "--repeats", 1, "--device", "cpu", "--json"))[0]
    measured = record["measured"]
    assert measured["latency_milliseconds"] > 0
    assert measured["clips_per_second"] == pytest.approx(1e3 / measured["latency_milliseconds"])
    assert record["published_gmacs_per_view"] is None


def test_an_unknown_network_lists_the_known_ones():
    with pytest.raises(ModelError, match="unknown network 'vgg'; known: student-tsm-baseline"):
        _run("vgg")


def test_a_missing_device_is_named():
    with pytest.raises(DeviceError, match=r"^--device=cuda:99: not usable here"):
        _run("teacher-s3d", "--measure", "--device", "cuda:99")
