"""Who a run is: content counts, places do not."""

import shutil
from pathlib import Path

import pytest
from support.tiny import BASELINE, tiny
from support.videos import clip, moving_texture

from cdkd.config import ConfigError
from cdkd.data.opening import dataset_version
from cdkd.effective_settings import effective_settings
from cdkd.experiment.identity import cell_identity, contents_of, is_data_known, logged_settings, teacher_identity
from cdkd.settings import RunConfig, flat_settings

OFF = {"distill__spatial__enabled": False, "distill__temporal__enabled": False}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A plain folder of videos: two classes, three videos each."""
    monkeypatch.setenv("CDKD_HOME", str(tmp_path / "home"))
    for name in ("jump", "kick"):
        for number in range(3):
            target = tmp_path / "videos" / name / f"{number}.mp4"
            target.parent.mkdir(parents=True, exist_ok=True)
            clip(target, moving_texture(13, 32, 48, seed=number + 10 * (name == "kick")))
    return tmp_path / "videos"


def on(folder: Path, **changes: object) -> RunConfig:
    return tiny(data__name="folder", data__root=str(folder), **changes)


def both(config: RunConfig) -> tuple[str, str]:
    return cell_identity(config), teacher_identity(config)


def test_a_folder_that_is_moved_is_the_same_data_set(folder: Path) -> None:
    before = both(on(folder))
    moved = folder.rename(folder.with_name("elsewhere"))
    assert both(on(moved)) == before


def test_a_video_that_is_replaced_makes_other_cells_and_another_teacher(folder: Path) -> None:
    before = both(on(folder))
    shutil.copyfile(folder / "kick/1.mp4", folder / "jump/0.mp4")
    after = both(on(folder))
    assert after[0] != before[0] and after[1] != before[1]


def test_a_class_that_is_renamed_or_added_makes_other_cells_and_another_teacher(folder: Path) -> None:
    identities = [both(on(folder))]
    (folder / "kick").rename(folder / "punch")
    identities.append(both(on(folder)))
    shutil.copytree(folder / "punch", folder / "zoom")
    identities.append(both(on(folder)))
    assert len({cell for cell, _ in identities}) == len({teacher for _, teacher in identities}) == 3


def test_the_embedded_data_set_is_known_before_it_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDKD_HOME", str(tmp_path))
    config = tiny()
    before = both(config)
    assert is_data_known(config) and not any(tmp_path.iterdir())
    assert both(tiny(data__shapes__seed=1)) != before


def test_a_file_of_weights_enters_by_its_bytes(tmp_path: Path) -> None:
    one, same, other = (tmp_path / name for name in ("a.safetensors", "b.safetensors", "c.safetensors"))
    one.write_bytes(b"weights"), same.write_bytes(b"weights"), other.write_bytes(b"others")
    for key in ("teacher__checkpoint", "teacher__weights", "student__weights"):
        identities = [cell_identity(tiny(**{key: str(file)})) for file in (one, same, other)]
        assert identities[0] == identities[1] != identities[2], key
    members = [cell_identity(tiny(teacher__members=[str(one), str(file)])) for file in (same, other)]
    assert members[0] != members[1]
    # Another file under the old name.
    before = cell_identity(tiny(teacher__checkpoint=str(one)))
    one.write_bytes(b"retrained")
    assert cell_identity(tiny(teacher__checkpoint=str(one))) != before


def test_a_file_that_is_not_there_is_refused_where_it_is_read(tmp_path: Path) -> None:
    missing = str(tmp_path / "none.safetensors")
    with pytest.raises(ConfigError, match=r"teacher\.checkpoint: .*none\.safetensors does not exist"):
        cell_identity(tiny(teacher__checkpoint=missing))
    assert cell_identity(tiny(teacher__checkpoint=missing, **OFF)) == cell_identity(tiny(**OFF))
    assert contents_of(flat_settings(tiny(**BASELINE))) == {}


@pytest.mark.parametrize(
    ("rest", "changed"),
    [
        ({}, {"runtime__num_workers": 3, "runtime__device": "cuda", "runtime__channels_last": False}),
        ({}, {"data__cache": "off"}),
        ({}, {"data__sampling": "gops"}),
        ({}, {"data__sampling": "dense"}),
        ({}, {"evaluation__batch_size": 7}),
        (OFF, {"data__unlabelled": "pretrain", "data__unlabelled_videos": 5, "train__unlabelled_per_step": 7}),
        ({**OFF, "distill__decoupled__enabled": True}, {"data__unlabelled": "pretrain"}),
        ({}, {"evaluation__every_epochs": 3}),
        (OFF, {"teacher__seed": 5, "teacher__train__epochs": 9}),
        (OFF, {"distill__spatial__weight": 0.5}),
        ({"distill__spatial__weight": 0.0}, {"distill__spatial__form": "literal"}),
        (BASELINE, {"student__gate": "uniform", "student__attention_dim": 8, "teacher__arch": "tdn"}),
    ],
)
def test_what_cannot_change_a_result_changes_no_identity(rest: dict[str, object], changed: dict[str, object]) -> None:
    assert cell_identity(tiny(**rest, **changed)) == cell_identity(tiny(**rest))


@pytest.mark.parametrize(
    ("rest", "changed"),
    [
        ({}, {"seed": 2}),
        ({}, {"data__input_size": 48}),
        ({"data__gops_per_clip": 8, "data__frames_per_gop": 1}, {"data__sampling": "gops"}),
        ({"data__shapes__num_frames": 24}, {"data__sampling": "dense"}),
        ({"data__frames_per_gop": 5}, {"data__sampling": "gops"}),
        ({}, {"teacher__seed": 5}),
        ({}, {"data__unlabelled": "pretrain"}),
        ({"data__unlabelled": "pretrain"}, {"data__unlabelled": "train"}),
        ({"data__unlabelled": "pretrain"}, {"data__unlabelled_videos": 5}),
        ({"data__unlabelled": "pretrain"}, {"train__unlabelled_per_step": 5}),
        ({**OFF, "distill__decoupled__enabled": True, "distill__mgd__enabled": True}, {"data__unlabelled": "pretrain"}),
        ({}, {"distill__temporal__form": "literal"}),
        (OFF, {"teacher__arch": "tdn"}),
        (OFF, {"student__gate": "uniform"}),
        ({"evaluation__select": "best_validation"}, {"evaluation__every_epochs": 3}),
    ],
)
def test_what_can_change_a_result_changes_the_identity(rest: dict[str, object], changed: dict[str, object]) -> None:
    assert cell_identity(tiny(**{**rest, **changed})) != cell_identity(tiny(**rest))


def test_a_teacher_does_not_depend_on_what_only_students_read() -> None:
    same = {
        "data__unlabelled": "pretrain",
        "data__unlabelled_videos": 5,
        "train__unlabelled_per_step": 3,
        "data__motion": "per_frame",
        "student__arch": "tdn",
        "seed": 4,
        "distill__spatial__weight": 3.0,
    }
    assert teacher_identity(tiny(**same)) == teacher_identity(tiny())
    assert teacher_identity(tiny(teacher__train__epochs=9)) != teacher_identity(tiny())
    assert teacher_identity(tiny(data__frames_per_gop=3)) != teacher_identity(tiny())


def test_unlabelled_videos_count_by_what_they_are_and_not_by_where(folder: Path, tmp_path: Path) -> None:
    def settings(place: Path) -> dict[str, object]:
        return effective_settings(logged_settings(tiny(data__unlabelled=str(place))))

    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    assert cell_identity(tiny(data__unlabelled=str(folder))) == cell_identity(tiny(data__unlabelled=str(copy)))
    assert settings(folder) == settings(copy) and len(str(settings(folder)["data.unlabelled"])) == 16
    (copy / "kick/1.mp4").unlink()
    assert cell_identity(tiny(data__unlabelled=str(folder))) != cell_identity(tiny(data__unlabelled=str(copy)))
    assert settings(folder) != settings(copy)
    # A table must not take rows for comparable of which one has them and the other none.
    assert effective_settings(logged_settings(tiny()))["data.unlabelled"] == "none"


def test_a_table_tells_files_apart_by_their_bytes(tmp_path: Path) -> None:
    one, same, other = (tmp_path / name for name in ("a.safetensors", "b.safetensors", "c.safetensors"))
    one.write_bytes(b"weights"), same.write_bytes(b"weights"), other.write_bytes(b"others")
    seen = [effective_settings(logged_settings(tiny(teacher__checkpoint=str(file)))) for file in (one, same, other)]
    assert seen[0] == seen[1] != seen[2] and "teacher.checkpoint" not in seen[0]
    # What a run logged before contents were.
    assert effective_settings(flat_settings(tiny(teacher__checkpoint="x")))["teacher.checkpoint"] == "x"


def test_runs_from_before_a_setting_keep_their_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    """What they did is a value of it, which enters no hash."""
    long = {"data__shapes__num_frames": 24, "data__sampling": "gops"}
    today = both(tiny(**long))

    def without(config: RunConfig) -> dict[str, object]:
        return {key: value for key, value in flat_settings(config).items() if key != "data.sampling"}

    monkeypatch.setattr("cdkd.experiment.identity.flat_settings", without)
    assert both(tiny(**long)) == today


def test_runs_that_draw_their_own_videos_have_the_data_and_the_teacher_of_their_seed() -> None:
    drawn = tiny(seed=3, data__shapes__draw="by_seed")
    fixed = tiny(seed=3, data__shapes__seed=3)
    assert drawn.data.shapes.seed == 3
    assert dataset_version(drawn.data) == dataset_version(fixed.data)
    assert teacher_identity(drawn) == teacher_identity(fixed) != teacher_identity(tiny(seed=3))
    # Of other data there is nothing to draw.
    assert tiny(seed=3, data__name="folder", data__shapes__draw="by_seed").data.shapes.seed == 0
    # A run of other seeds' videos may not stand beside it in a row.
    assert cell_identity(drawn) != cell_identity(fixed)
    with pytest.raises(ConfigError, match=r"draw=by_seed and seed=3: leave data\.shapes\.seed=4 out"):
        tiny(seed=3, data__shapes__draw="by_seed", data__shapes__seed=4)
