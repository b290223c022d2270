"""What workers want told on a sweep's terminal: lines of a file in the study's folder, which every sweep reads."""

import os
import time

from cdkd.sweep.queue.study_folder import StudyFolder


def write_notice(folder: StudyFolder, text: str) -> None:
    """Appends a line, and prints it to this process's own log; whoever cannot write it has told it there at least."""
    print(text, flush=True)
    line = f"{time.strftime('%Y-%m-%d %H:%M:%S')} worker {os.getpid()}: {text}\n"
    try:
        # One write of one short line: those of two processes do not mix.
        with folder.notices.open("a", encoding="utf-8") as stream:
            stream.write(line)
    except OSError:
        return


class NoticeReader:
    """Reads what is written from now on."""

    def __init__(self, folder: StudyFolder) -> None:
        self._file = folder.notices
        self._position = self._file.stat().st_size if self._file.exists() else 0

    def read(self) -> list[str]:
        """The lines since the last call, without their date."""
        if not self._file.exists():
            return []
        with self._file.open("rb") as stream:
            stream.seek(self._position)
            whole, end, _ = stream.read().rpartition(b"\n")
        self._position += len(whole + end)
        lines = whole.decode("utf-8", "replace").splitlines()
        return [line.split(" ", 2)[-1] for line in lines]
