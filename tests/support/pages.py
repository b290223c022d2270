"""Pages as a parser and a browser see them."""

import html
import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

_VOID = {"meta", "img", "br", "col", "hr", "link", "input"}
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# --disable-quic and the like: a browser that asks nobody anything while a test waits.
_QUIET = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
_QUIET += ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1400,900"]
_QUIET += ["--hide-scrollbars"]
_FRAME = '<iframe style="border: 0" width="{width}" height="800" srcdoc="{page}"></iframe>'
_MEASURE = """
<script>
const look = frame => {
  const page = frame.contentDocument, root = page.documentElement;
  const style = page.defaultView.getComputedStyle(page.body);
  const box = page.querySelector(".scroll"), name = box.querySelector("tbody th");
  const before = name.getBoundingClientRect().left;
  box.scrollLeft = 200;
  return {
    width: root.clientWidth, needed: root.scrollWidth, background: style.backgroundColor, text: style.color,
    box: box.clientWidth, boxNeeds: box.scrollWidth, moved: name.getBoundingClientRect().left - before,
    images: [...page.images].map(image => image.naturalWidth > 0),
  };
};
addEventListener("load", () => {
  const found = [...document.querySelectorAll("iframe")].map(look);
  document.body.textContent = "MEASURED" + JSON.stringify(found) + "END";
});
</script>
"""


class Element:
    """One element with its attributes, children and text."""

    def __init__(self, tag: str, attributes: dict[str, str], parent: "Element | None") -> None:
        self.tag, self.attributes, self.parent = tag, attributes, parent
        self.children: list[Element] = []
        self.own_text = ""

    @property
    def text(self) -> str:
        return " ".join(f"{self.own_text} {' '.join(child.text for child in self.children)}".split())

    def all(self, *tags: str) -> list["Element"]:
        """Descendants in the order of the document."""
        found = []
        for child in self.children:
            found += [child] if not tags or child.tag in tags else []
            found += child.all(*tags)
        return found


class _Tree(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = self.at = Element("", {}, None)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs}, self.at)
        self.at.children.append(element)
        self.at = self.at if tag in _VOID else element

    def handle_endtag(self, tag: str) -> None:
        assert self.at.tag == tag and self.at.parent is not None, f"</{tag}> ends <{self.at.tag}>"
        self.at = self.at.parent

    def handle_data(self, data: str) -> None:
        self.at.own_text += data


def parse(text: str) -> Element:
    """The document as a tree; every element must be closed by its own end tag."""
    tree = _Tree()
    tree.feed(text)
    assert tree.at is tree.root, f"<{tree.at.tag}> is never closed"
    return tree.root


def measure(page: str, widths: Sequence[int], is_dark: bool, folder: Path) -> list[dict[str, Any]]:
    """What headless Chromium makes of a page in windows of so many pixels; skips the test where there is none."""
    browser = next((path for name in _CHROMIUM if (path := shutil.which(name))), None)
    if browser is None:
        pytest.skip(f"no browser here: none of {', '.join(_CHROMIUM)}")
    # In frames, since a window of the browser is never narrower than 500 pixels.
    frames = [_FRAME.format(width=width, page=html.escape(page)) for width in widths]
    file = folder / "frames.html"
    file.write_text("\n".join([*frames, _MEASURE]), encoding="utf-8")
    scheme = f"--blink-settings=preferredColorScheme={0 if is_dark else 1}"
    command = [browser, *_QUIET, scheme, f"--user-data-dir={folder / 'profile'}", "--dump-dom", file.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    found = re.search(r"MEASURED(.*)END", done.stdout)
    assert found is not None, done.stdout[-2000:] + done.stderr[-2000:]
    measured: list[dict[str, Any]] = json.loads(html.unescape(found[1]))
    return measured
