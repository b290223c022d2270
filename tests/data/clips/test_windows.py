"""Windows around positions, against literal tables."""

from cdkd.data.clips.windows import gop_positions, index_windows, windows_around


def test_windows_are_clamped_to_the_gop() -> None:
    assert windows_around((1, 6, 11), 5, 0, 11) == ((0, 0, 1, 2, 3), (4, 5, 6, 7, 8), (9, 10, 11, 11, 11))
    assert windows_around((1, 6), 1, 0, 11) == ((1,), (6,))
    assert windows_around((1, 6), 0, 0, 11) == ((), ())


def test_windows_become_indices_into_their_distinct_positions() -> None:
    assert index_windows(((2, 3, 4), (4, 5, 5))) == ((2, 3, 4, 5), ((0, 1, 2), (2, 3, 3)))
    assert index_windows(((), ())) == ((), ((), ()))


def test_motion_windows_stop_before_the_iframe_and_picture_windows_behind_it() -> None:
    found = gop_positions(6, (5, 1), student_window=3, teacher_window=3)
    assert (found.motion, found.motion_windows) == ((1, 2, 4, 5), ((2, 3, 3), (0, 0, 1)))
    assert (found.frames, found.frame_windows) == ((0, 1, 2, 4, 5), ((3, 4, 4), (0, 1, 2)))
