"""Exported networks compute what the network computes, for any batch size."""

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from support.tiny import tiny

from cdkd.cli.export import command
from cdkd.data.opening import open_dataset
from cdkd.experiment.build import assemble
from cdkd.experiment.description import student_description
from cdkd.inference import export
from cdkd.inference.export import ExportError, export_model
from cdkd.models.errors import ModelError
from cdkd.models.weights.checkpoints import save_model


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> object:
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CDKD_HOME", str(folder))
        config = tiny(data__frames_per_gop=2, distill__spatial__enabled=False, distill__temporal__enabled=False)
        student = assemble(config, lambda metrics, epoch: None).student
        description = student_description(config, open_dataset(config.data), {})
        save_model(folder / "student.safetensors", student, description)
        yield folder / "student.safetensors"


def test_both_formats_agree_with_the_network(checkpoint: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    found = export_model(checkpoint, tmp_path, ("onnx", "program"))
    assert [(e.format, e.file.name) for e in found] == [("onnx", "model.onnx"), ("program", "model.pt2")]
    assert all(e.relative_difference <= 1e-4 for e in found)
    metadata = json.loads((tmp_path / "model.json").read_text())
    assert metadata["inputs"]["motion"] == ["batch", 2, 1, 2, 32, 32]
    assert len(metadata["classes"]) == 12
    # As a user would: no class of ours, a batch of five.
    inputs = {name: torch.randn(5, *shape[1:]) for name, shape in metadata["inputs"].items()}
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {name: tensor.numpy() for name, tensor in inputs.items()})
    program = torch.export.load(tmp_path / "model.pt2").module()
    assert logits.shape == (5, 12)
    torch.testing.assert_close(torch.from_numpy(logits), program(**inputs), rtol=1e-3, atol=1e-4)


def test_a_missing_package_names_the_extra(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "find_spec", lambda name: None)
    with pytest.raises(ExportError, match=r"needs onnx and onnxscript and onnxruntime: pip install 'cdkd\[export\]'"):
        export_model(checkpoint, tmp_path, ("onnx",))


def test_without_onnx_the_program_is_written_and_one_line_says_how_to_get_it(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "find_spec", lambda name: None)
    done = CliRunner().invoke(command, [str(checkpoint), "-o", str(tmp_path / "new")], catch_exceptions=False)
    first, second = done.output.splitlines()
    assert first.startswith(f"program: {tmp_path}/new/model.pt2, logits within ")
    assert second == "onnx: not written, its packages are not installed: pip install 'cdkd[export]'"
    assert sorted(file.name for file in (tmp_path / "new").iterdir()) == ["model.json", "model.pt2"]


def test_a_place_that_cannot_be_written_is_named(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match=r"--output .*/file/below: cannot be written: Not a directory; name another"):
        export_model(checkpoint, tmp_path / "file" / "below", ("program",))


def test_logits_that_differ_are_refused(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(program: object, folder: Path, check: dict[str, torch.Tensor]) -> tuple[Path, torch.Tensor]:
        return folder / "wrong", program.module()(**check) * 1.001  # type: ignore[attr-defined]

    monkeypatch.setitem(export._FORMATS, "program", wrong)
    with pytest.raises(ExportError, match=r"wrong: its logits differ from the network's by 1.0e-03, more than 0.0001"):
        export_model(checkpoint, tmp_path, ("program",))
    with pytest.raises(ExportError, match="--format tensorrt: unknown; known: onnx, program"):
        export_model(checkpoint, tmp_path, ("tensorrt",))
