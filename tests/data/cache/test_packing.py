"""The packed cache: bit-identical clips, and never a stale, half-written or foreign one."""

import json
import multiprocessing
import os
import signal
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from support.prepared import prepared_folder, write_video
from support.videos import H264_ONE_REFERENCE, moving_texture, write_stream

from cdkd.data.cache import packing
from cdkd.data.cache.packed import PackedError, find_cache, packed_folder, read_cache
from cdkd.data.cache.packed_record import EVERY_P_FRAME, StoredLayout
from cdkd.data.cache.packing import PackJob, pack
from cdkd.data.clips.sampling import ClipLayout
from cdkd.data.loading.dataset import ClipDataset, UnreadableError
from cdkd.data.manifest import LabelledVideo, Manifest, make_manifest
from cdkd.file_lock import FileLock
from cdkd.modality import DEFAULT_FORM, MotionReference, PFrameForm, ResidualKind
from cdkd.settings import Sampling

LAYOUT = ClipLayout(1, 3, student_window=1, teacher_window=5, sampling="gops")
STORED = StoredLayout(3, student_window=1, teacher_window=5)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDKD_HOME", str(tmp_path / "home"))


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    return prepared_folder(tmp_path / "set", num_train=3, num_test=2)


def assert_same_clips(
    manifest: Manifest, layout: ClipLayout, form: PFrameForm = DEFAULT_FORM, num_workers: int = 0
) -> None:
    """All test views from video equal those from the cache, which is known to be read."""
    plain, packed = (
        ClipDataset(manifest, "train", layout, form, workers, cache)  # type: ignore[arg-type]
        for workers, cache in ((0, "off"), (num_workers, "packed"))
    )
    assert packed.packed is not None
    for view in range(2):
        pairs = zip(plain.view_batches(view, 2, 2), packed.view_batches(view, 2, 2), strict=True)
        for ours, theirs in pairs:
            for name, tensor in vars(ours).items():
                other = getattr(theirs, name)
                assert tensor.dtype == other.dtype and torch.equal(tensor, other), name


@pytest.mark.parametrize("form", [PFrameForm(*pair) for pair in product(MotionReference, ResidualKind)])
@pytest.mark.parametrize(
    "wanted",
    [
        ClipLayout(1, 3, 1, 5, "gops"),
        ClipLayout(2, 3, 1, 0, "gops"),
        ClipLayout(1, 3, 0, 5, "gops"),
        ClipLayout(3, 3, 1, 1, "gops"),
    ],
)
def test_clips_equal_those_from_video(manifest: Manifest, wanted: ClipLayout, form: PFrameForm) -> None:
    pack(PackJob((manifest,), STORED, form))
    assert_same_clips(manifest, wanted, form)


def test_clips_equal_with_tdn_windows_and_workers(manifest: Manifest) -> None:
    pack(PackJob((manifest,), StoredLayout(2, 5, 5), num_workers=2, gops_per_shard=6))
    assert_same_clips(manifest, ClipLayout(2, 2, 5, 5, "gops"), num_workers=1)
    assert_same_clips(manifest, ClipLayout(1, 2, 1, 3, "gops"))


@pytest.mark.parametrize("sampling", ["segments", "dense", "gops"])
@pytest.mark.parametrize("shape", [(5, 1, 1, 1), (1, 3, 5, 5), (2, 3, 0, 5)])
def test_a_cache_of_every_p_frame_serves_every_sampling(
    manifest: Manifest, sampling: Sampling, shape: tuple[int, int, int, int]
) -> None:
    layout = ClipLayout(*shape, sampling)
    assert pack(PackJob((manifest,), EVERY_P_FRAME)).cache.folder.name == "every-accumulated"
    assert_same_clips(manifest, layout, num_workers=1)
    plain, packed = (ClipDataset(manifest, "train", layout, cache=cache) for cache in ("off", "packed"))  # type: ignore[arg-type]
    for epoch in range(3):
        pairs = zip(plain.training_batches(1, epoch, 3), packed.training_batches(1, epoch, 3), strict=True)
        for ours, theirs in pairs:
            for name, tensor in vars(ours).items():
                assert torch.equal(tensor, getattr(theirs, name)), name


def test_a_cache_of_fixed_positions_serves_what_never_leaves_them(manifest: Manifest) -> None:
    """GOPs of 8 frames: six P-frames have no room to wander, three have, and one may be any."""
    pack(PackJob((manifest,), StoredLayout(6)))
    assert ClipDataset(manifest, "train", ClipLayout(2, 6), cache="packed").packed is not None
    for layout in (ClipLayout(1, 3), ClipLayout(8, 1), ClipLayout(8, 1, sampling="dense")):
        pack(PackJob((manifest,), StoredLayout(layout.frames_per_gop)))
        with pytest.raises(PackedError, match=r"make it: cdkd data cache --root \S+ --every-p-frame$"):
            ClipDataset(manifest, "train", layout, cache="packed")
        assert ClipDataset(manifest, "train", layout, cache="auto").packed is None


def test_long_vectors_and_h264_are_exact(tmp_path: Path) -> None:
    """Motion of 40 quarter pixels a frame adds up beyond a signed byte; H.264 has quarter pixels and a warp."""
    root = tmp_path / "set"
    root.mkdir()
    fast = moving_texture(16, 64, 96, velocity=(10, 3), seed=4)
    from cdkd.video.transcode import encode_frames

    encode_frames(root / "a.mp4", fast, frames_per_second=24, gop_length=8)
    write_stream(root / "b.mp4", moving_texture(16, 64, 96), "libx264", H264_ONE_REFERENCE)
    videos = [LabelledVideo(name, 0, "", "train", f"digest of {name}") for name in ("a.mp4", "b.mp4")]
    manifest = make_manifest("folder", root, ("one",), videos, {})
    cache = pack(PackJob((manifest,), STORED)).cache
    assert set(np.unique(cache._entries["motion_kind"])) >= {1}
    assert_same_clips(manifest, LAYOUT)


def test_sizes_are_those_of_the_arrays(manifest: Manifest) -> None:
    """Per GOP of 32 x 48: 3 P-frames with 2 bytes of motion and 3 of prediction, and 8 frames of 3 bytes."""
    report = pack(PackJob((manifest,), STORED))
    assert (report.num_videos, report.cache.num_gops, report.num_shards) == (5, 15, 1)
    full = 32 * 48 * (3 * (2 + 3) + 8 * 3)
    assert report.cache.num_bytes == 15 * full
    assert report.bytes_per_thousand_gops == 1000 * full
    # Motion relative to the frame before holds one vector per 8 x 8 block.
    blocks = pack(PackJob((manifest,), STORED, PFrameForm(MotionReference.FRAME_BEFORE))).cache
    assert blocks.num_bytes == 15 * (full - 32 * 48 * 3 * 2 + 4 * 6 * 3 * 2 * 2)


def test_a_second_run_keeps_every_shard(manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    job = PackJob((manifest,), STORED, gops_per_shard=6)
    assert (pack(job).num_kept_shards, pack(job).num_kept_shards) == (0, 3)

    def refuse(shard: object) -> None:
        raise AssertionError("a finished shard was made again")

    monkeypatch.setattr(packing, "_make_shard", refuse)
    assert pack(job).cache.num_gops == 15


def pack_until_killed(manifest: Manifest, num_shards: int) -> None:
    """Dies as by kill -9 in the middle of writing the shard after `num_shards`."""
    write, made = packing._write_video, []

    def write_or_die(
        stream: object, shard: packing.CacheShard, path: Path, lengths: tuple[int, ...]
    ) -> list[list[int]]:
        if shard.number == num_shards:
            stream.write(b"half a record")  # type: ignore[attr-defined]
            stream.flush()  # type: ignore[attr-defined]
            os.kill(os.getpid(), signal.SIGKILL)
        made.append(path)
        return write(stream, shard, path, lengths)

    packing._write_video = write_or_die
    pack(PackJob((manifest,), STORED, gops_per_shard=6))


def test_a_killed_run_goes_on_and_its_half_never_looks_finished(manifest: Manifest) -> None:
    killed = multiprocessing.get_context("fork").Process(target=pack_until_killed, args=(manifest, 2))
    killed.start()
    killed.join()
    assert killed.exitcode == -signal.SIGKILL
    folder = packed_folder(manifest.root, STORED, DEFAULT_FORM)
    assert len(list(folder.glob("shard-*.json"))) == 2 and len(list(folder.glob("shard-*.bin"))) == 3
    assert find_cache(manifest.root, manifest.part("train"), STORED, DEFAULT_FORM) == (
        None,
        f"{folder}: is not finished",
    )
    report = pack(PackJob((manifest,), STORED, gops_per_shard=6))
    assert (report.num_kept_shards, report.num_shards) == (2, 3)
    assert_same_clips(manifest, LAYOUT)


def test_a_stale_cache_is_refused_or_left_aside(manifest: Manifest, caplog: pytest.LogCaptureFixture) -> None:
    pack(PackJob((manifest,), STORED, gops_per_shard=3))
    path = manifest.videos[1].path
    digest = write_video(manifest.root / path, 24, seed=77)
    videos = (replace(video, digest=digest) if video.path == path else video for video in manifest.videos)
    changed = replace(manifest, videos=tuple(videos))
    with pytest.raises(PackedError, match=r"stale: 1 of 3 videos have changed.*videos/clip 1.*make it:"):
        ClipDataset(changed, "train", LAYOUT, cache="packed")
    assert ClipDataset(changed, "train", LAYOUT, cache="auto").packed is None
    assert "is stale" in caplog.text
    report = pack(PackJob((changed,), STORED, gops_per_shard=3))
    assert (report.num_kept_shards, report.num_shards) == (4, 5)
    assert len(list(packed_folder(changed.root, STORED, DEFAULT_FORM).glob("shard-*.bin"))) == 5
    assert_same_clips(changed, LAYOUT)


@pytest.mark.parametrize(
    "other",
    [ClipLayout(1, 4, 1, 5, "gops"), ClipLayout(1, 3, 5, 5, "gops"), ClipLayout(1, 3, 1, 7, "gops")],
)
def test_another_layout_is_refused(manifest: Manifest, other: ClipLayout) -> None:
    pack(PackJob((manifest,), STORED))
    with pytest.raises(PackedError, match=f"another layout.*--frames-per-gop {other.frames_per_gop}"):
        ClipDataset(manifest, "train", other, cache="packed")


def test_caches_of_other_residuals_are_never_taken_for_each_other(manifest: Manifest) -> None:
    forms = [PFrameForm(*pair) for pair in product(MotionReference, ResidualKind)]
    folders = [pack(PackJob((manifest,), STORED, form)).cache.folder for form in forms]
    names = ["accumulated", "accumulated-coviar", "per_frame", "per_frame-coviar"]
    assert [folder.name for folder in folders] == [f"p3-s1-t5-{name}" for name in names]
    for form, folder in zip(forms, folders, strict=True):
        found, _ = find_cache(manifest.root, manifest.part("train"), STORED, form)
        assert found is not None and (found.folder, found.form) == (folder, form)
    packing.shutil.rmtree(folders[1])
    remedy = r"make it: cdkd data cache .* --teacher-window 5 --residual coviar$"
    with pytest.raises(PackedError, match=f"other motion and residual.*{remedy}"):
        ClipDataset(manifest, "train", LAYOUT, forms[1], cache="packed")


def test_a_cache_whose_residuals_were_erased_in_intra_blocks_is_refused(
    manifest: Manifest, caplog: pytest.LogCaptureFixture
) -> None:
    header = pack(PackJob((manifest,), STORED)).cache.folder / "packed.json"
    before = {name: value for name, value in json.loads(header.read_text()).items() if name != "residual"}
    header.write_text(json.dumps({**before, "format": 1}))
    with pytest.raises(PackedError, match=r"format 1, this version reads 2; .*make it: cdkd data cache --root"):
        ClipDataset(manifest, "train", LAYOUT, cache="packed")
    assert ClipDataset(manifest, "train", LAYOUT, cache="auto").packed is None
    assert "format 1" in caplog.text
    assert pack(PackJob((manifest,), STORED)).cache.num_gops == 15
    assert_same_clips(manifest, LAYOUT)


def test_a_part_that_was_not_packed_is_named(manifest: Manifest) -> None:
    pack(PackJob((manifest,), STORED, parts=("test",)))
    with pytest.raises(PackedError, match=r"train part: .*does not hold 3 of 3 videos"):
        ClipDataset(manifest, "train", LAYOUT, cache="packed")
    source = ClipDataset(manifest, "test", LAYOUT, cache="auto")
    assert source.packed is not None


def test_a_video_that_any_split_uses_is_packed(manifest: Manifest) -> None:
    """HMDB-51 leaves different videos out of each split."""
    left_out = [
        replace(manifest, videos=tuple(replace(v, part="unused") if v.path[-5] in out else v for v in manifest.videos))
        for out in ("01", "12")
    ]
    assert [video.path[-5] for video in PackJob((left_out[0],), STORED).videos] == ["2", "3", "4"]
    assert [video.path[-5] for video in PackJob(tuple(left_out), STORED).videos] == ["0", "2", "3", "4"]
    assert [video.path[-5] for video in PackJob(tuple(left_out), STORED, parts=("train",)).videos] == ["0", "2"]


def test_without_a_cache_auto_says_nothing(manifest: Manifest, caplog: pytest.LogCaptureFixture) -> None:
    source = ClipDataset(manifest, "train", LAYOUT, cache="auto")
    assert source.packed is None and not caplog.text


def test_broken_videos_are_listed_and_count_as_unreadable(manifest: Manifest) -> None:
    broken = manifest.part("train")[0]
    (manifest.root / broken.path).write_bytes(b"no video")
    report = pack(PackJob((manifest,), STORED))
    assert list(report.cache.broken) == [broken.path] and report.cache.num_gops == 12
    with pytest.raises(UnreadableError, match=r"1 of 3 videos[\s\S]*clip 0\.mp4"):
        ClipDataset(manifest, "train", LAYOUT, cache="packed")
    assert len(ClipDataset(manifest, "train", LAYOUT, cache="packed", max_unreadable=0.4)) == 2


def test_damage_is_named(manifest: Manifest) -> None:
    cache = pack(PackJob((manifest,), STORED)).cache
    shard = next(cache.folder.glob("*.bin"))
    shard.write_bytes(shard.read_bytes()[:5000])
    source = ClipDataset(manifest, "train", LAYOUT, cache="packed")
    with pytest.raises(PackedError, match=r"shard-00000.*cannot be read.*damaged or made again"):
        list(source.view_batches(0, 1, 3))
    header = cache.folder / "packed.json"
    header.write_text(json.dumps({**json.loads(header.read_text()), "format": 9}))
    with pytest.raises(PackedError, match="format 9, this version reads 2; make it again: cdkd data cache"):
        read_cache(cache.folder)


def test_two_at_once_and_too_little_space_are_refused(manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = packed_folder(manifest.root, STORED, DEFAULT_FORM)
    folder.mkdir(parents=True)
    with FileLock(folder / "packing.lock"), pytest.raises(PackedError, match="another process is making this cache"):
        pack(PackJob((manifest,), STORED))
    usage = packing.shutil.disk_usage(folder)._replace(free=1000)
    monkeypatch.setattr(packing.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(PackedError, match=r"needs about 0\.0 GB, and 0\.0 GB are free"):
        pack(PackJob((manifest,), STORED))


def test_videos_without_digest_are_refused(manifest: Manifest) -> None:
    without = replace(manifest, videos=tuple(replace(video, digest="") for video in manifest.videos))
    with pytest.raises(PackedError, match=r"clip 0\.mp4 has no digest"):
        pack(PackJob((without,), STORED))
