"""`cdkd bench loading` as a user types it."""

import json
from pathlib import Path

from click.testing import CliRunner
from support.prepared import prepared_folder

from cdkd.cli.bench_loading import command as bench


def test_bench_loading_compares_three_ways(tmp_path: Path) -> None:
    root = prepared_folder(tmp_path / "set", 3, 1).root
    options = ["--root", str(root), "--videos", "2", "--clips", "2", "--repeats", "1"]
    table = CliRunner().invoke(bench, options)
    assert table.exit_code == 0, table.output
    assert [line.split("  ")[0] for line in table.stdout.splitlines()[2:5]] == ["video", "packed cache", "memory"]
    assert "4 clips of 48x32 pixels" in table.stdout
    report = json.loads(CliRunner().invoke(bench, [*options, "--json"]).stdout)
    # 6 P-frames: motion and prediction 5 bytes a pixel, 7 frames of 3 bytes
    assert report["packed_bytes_per_thousand_clips"] == 1000 * 32 * 48 * (6 * 5 + 7 * 3)
    assert report["rows"][0]["ratio"] == 1.0
    assert not (root / "packed").exists()
