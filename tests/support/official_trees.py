"""Miniature copies of the benchmark data sets, laid out as their publishers do, with real encoded videos."""

import json
from collections.abc import Mapping
from pathlib import Path

import av
import numpy as np

# codec and its options as the publishers' files have them
XVID = ("mpeg4", {"bf": "2", "g": "10"})
H264 = ("libx264", {"preset": "ultrafast", "bf": "2", "g": "30", "crf": "30"})
VP9 = ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "g": "20"})


def write_video(
    path: Path,
    codec: tuple[str, Mapping[str, str]] = XVID,
    *,
    num_frames: int = 14,
    width: int = 64,
    height: int = 48,
    seed: int = 0,
    frames_per_second: int = 25,
) -> Path:
    """A random texture that moves two pixels to the right per frame."""
    path.parent.mkdir(parents=True, exist_ok=True)
    blocks = np.random.default_rng(seed).integers(0, 255, (height // 8, width // 8, 3), dtype=np.uint8)
    texture = blocks.repeat(8, axis=0).repeat(8, axis=1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec[0], rate=frames_per_second, options=dict(codec[1]))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(num_frames):
            picture = np.ascontiguousarray(np.roll(texture, 2 * index, axis=1))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def _write_all(root: Path, names: list[str], codec: tuple[str, Mapping[str, str]]) -> None:
    for seed, name in enumerate(names):
        write_video(root / name, codec, seed=seed)


def ucf101_tree(root: Path) -> Path:
    """Three classes, seven XviD videos with B-frames, three splits; CRLF line ends, the HandStandPushups spelling."""
    lists = root / "ucfTrainTestlist"
    lists.mkdir(parents=True)
    eye = "ApplyEyeMakeup/v_ApplyEyeMakeup"
    stand = "HandstandPushups/v_HandStandPushups"
    yoyo = "YoYo/v_YoYo"
    texts = {
        "classInd.txt": ["1 ApplyEyeMakeup", "2 HandstandPushups", "3 YoYo"],
        "trainlist01.txt": [
            f"{eye}_g08_c01.avi 1",
            f"{eye}_g08_c02.avi 1",
            f"{eye}_g09_c01.avi 1",
            f"{stand}_g08_c01.avi 2",
            f"{yoyo}_g25_c03.avi 3",
        ],
        "testlist01.txt": [f"{stand}_g01_c01.avi", f"{yoyo}_g02_c04.avi"],
        "trainlist02.txt": [
            f"{eye}_g08_c01.avi 1",
            f"{eye}_g08_c02.avi 1",
            f"{stand}_g01_c01.avi 2",
            f"{yoyo}_g02_c04.avi 3",
        ],
        "testlist02.txt": [f"{eye}_g09_c01.avi", f"{stand}_g08_c01.avi", f"{yoyo}_g25_c03.avi"],
        "trainlist03.txt": [
            f"{eye}_g09_c01.avi 1",
            f"{stand}_g08_c01.avi 2",
            f"{stand}_g01_c01.avi 2",
            f"{yoyo}_g25_c03.avi 3",
            f"{yoyo}_g02_c04.avi 3",
        ],
        "testlist03.txt": [f"{eye}_g08_c01.avi", f"{eye}_g08_c02.avi"],
    }
    for name, lines in texts.items():
        (lists / name).write_bytes("".join(f"{line}\r\n" for line in lines).encode())
    videos = [f"{eye}_g08_c01", f"{eye}_g08_c02", f"{eye}_g09_c01", f"{stand}_g01_c01", f"{stand}_g08_c01"]
    videos += [f"{yoyo}_g02_c04", f"{yoyo}_g25_c03"]
    _write_all(root / "UCF-101", [f"{name}.avi" for name in videos], XVID)
    return root


HMDB51_VIDEOS = (
    "brush_hair/April_09_brush_hair_u_nm_np1_ba_goo_0.avi",
    "brush_hair/April_09_brush_hair_u_nm_np1_ba_goo_1.avi",
    "brush_hair/#20_Rhythm_[clap]_brush_hair_h_cm_np2_fr_bad_0.avi",
    "kick/Ein_gl\u00fcck_&_mehr!_kick_f_cm_np1_le_med_3.avi",
    "kick/untitled.avi",
    "kick_ball/Amazing_Soccer_#2_kick_ball_f_cm_np1_ba_bad_0.avi",
    "kick_ball/Amazing_Soccer_#2_kick_ball_f_cm_np1_ba_bad_1.avi",
)


def hmdb51_tree(root: Path) -> Path:
    """Three classes, seven XviD videos with odd names, three splits; tags 0, 1, 2 and a blank after each."""
    lists = root / "testTrainMulti_7030_splits"
    lists.mkdir(parents=True)
    tags = {1: (1, 1, 1, 1, 2, 1, 2), 2: (2, 2, 1, 2, 1, 0, 1), 3: (1, 0, 1, 2, 1, 2, 1)}
    for split, split_tags in tags.items():
        for action in ("kick_ball", "brush_hair", "kick"):
            rows = [
                f"{name.partition('/')[2]} {tag} \n"
                for name, tag in zip(HMDB51_VIDEOS, split_tags, strict=True)
                if name.startswith(f"{action}/")
            ]
            (lists / f"{action}_test_split{split}.txt").write_text("".join(rows), encoding="utf-8")
    _write_all(root / "hmdb51_org", list(HMDB51_VIDEOS), XVID)
    return root


def kinetics400_tree(root: Path) -> Path:
    """Three classes, six H.264 videos of eight listed ones, under each of the names that copies use."""
    (root / "annotations").mkdir(parents=True)
    header = "label,youtube_id,time_start,time_end,split\n"
    (root / "annotations" / "train.csv").write_text(
        header
        + "massaging person's head,-aBc_1-2_3x,7,17,train\n"
        + "massaging person's head,-abc_1-2_3x,112,122,train\n"
        + "abseiling,0347ZoDXyP0,95,105,train\n"
        + "passing American football (in game),kkk-_kkkkkk,1,11,train\n"
        + "abseiling,gone_gone__,3,13,train\n"
    )
    (root / "annotations" / "val.csv").write_text(
        header
        + "abseiling,3caPS4FHFF8,36,46,val\n"
        + "massaging person's head,vvvvvvvvvvv,0,10,val\n"
        + '"passing American football (in game)",lost_lost__,20,30,val\n'
    )
    (root / "annotations" / "test.csv").write_text("youtube_id,time_start,time_end,split\n--hidden-00,44,54,test\n")
    videos = [
        "train/massaging_persons_head/-aBc_1-2_3x_000007_000017.mp4",
        "train/massaging_persons_head/-abc_1-2_3x_000112_000122.mp4",
        "train/abseiling/0347ZoDXyP0_95.mp4",
        "train/passing_American_football_(in_game)/kkk-_kkkkkk.mkv",
        "val/3caPS4FHFF8_000036_000046.mp4",
        "val/vvvvvvvvvvv_000000_000010.mp4",
    ]
    _write_all(root, videos, H264)
    return root


def ssv2_tree(root: Path, prefix: str = "", with_answers: bool = True) -> Path:
    """Four classes, six VP9 videos and one of the unlabelled test part; `prefix` as in the older file names."""
    labels = root / "labels"
    labels.mkdir(parents=True)

    def entry(number: str, template: str, thing: str) -> dict[str, object]:
        sentence = template.replace("[something]", thing)
        return {"id": number, "label": sentence, "template": template, "placeholders": [thing]}

    approach, push = "Approaching [something] with your camera", "Pushing [something] so it, sadly, falls"
    pull, turn = "Pulling [something] from left to right", "Turning the camera left while filming [something]"
    numbers = {name.replace("[", "").replace("]", ""): str(i) for i, name in enumerate((approach, pull, push, turn))}
    files: dict[str, object] = {
        "labels": numbers,
        "train": [entry("78687", push, "a cup"), entry("42", approach, "a door"), entry("43", approach, "it")],
        "validation": [entry("100", turn, "it"), entry("7", pull, "a pen"), entry("220847", push, "a \u201cbox\u201d")],
        "test": [{"id": "999"}],
    }
    for name, values in files.items():
        (labels / f"{prefix}{name}.json").write_text(json.dumps(values), encoding="utf-8")
    if with_answers:
        (labels / f"{prefix}test-answers.csv").write_text("999;Pushing something so it, sadly, falls\n")
    numbers_filmed = ("78687", "42", "43", "100", "7", "220847", "999")
    names = [f"20bn-something-something-v2/{number}.webm" for number in numbers_filmed]
    _write_all(root, names, VP9)
    return root
