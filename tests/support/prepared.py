"""A small prepared data set: real MPEG-4 videos of several GOPs, every axis of a different size."""

import hashlib
from pathlib import Path

import numpy as np
from support.videos import moving_texture

from cdkd.data.manifest import LabelledVideo, Manifest, Part, make_manifest, write_manifest
from cdkd.video.transcode import encode_frames

HEIGHT, WIDTH = 32, 48
GOP_LENGTH = 8


def write_video(path: Path, num_frames: int, seed: int) -> str:
    """A texture that moves, with noise that no vector predicts; returns the digest."""
    noise = np.random.default_rng(seed).integers(-30, 31, (num_frames, HEIGHT, WIDTH, 3))
    frames = moving_texture(num_frames, HEIGHT, WIDTH, velocity=(1 + seed % 3, 1), seed=seed)
    noisy = [np.clip(frame + more, 0, 255).astype(np.uint8) for frame, more in zip(frames, noise, strict=True)]
    encode_frames(path, noisy, frames_per_second=24, gop_length=GOP_LENGTH, quantiser=4)
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def prepared_folder(root: Path, num_train: int = 5, num_test: int = 2, num_frames: int = 3 * GOP_LENGTH) -> Manifest:
    """Train and test videos in a folder with a manifest."""
    (root / "videos").mkdir(parents=True)
    parts: list[Part] = ["train"] * num_train + ["test"] * num_test
    videos = []
    for seed, part in enumerate(parts):
        path = f"videos/clip {seed}.mp4"
        videos.append(LabelledVideo(path, seed % 2, "", part, write_video(root / path, num_frames, seed)))
    manifest = make_manifest("folder", root, ("left", "right"), videos, {})
    write_manifest(root, manifest)
    return manifest
