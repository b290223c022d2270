"""`cdkd ui`: MLflow's pages of a store, opened on a study's runs."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

import click

from cdkd.cli.options import tracking_uri_option

_SECONDS_TO_START = 120.0


@click.command()
@click.argument("study", required=False)
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to serve at; 0.0.0.0: every one there is."
)
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True, help="Port to serve at.")
@click.option("--no-browser", is_flag=True, help="Print the links, open none.")
@tracking_uri_option
def command(study: str | None, host: str, port: int, no_browser: bool, tracking_uri: str | None) -> None:
    """Show the tracked runs in a browser: a table of STUDY's runs, or of the study that was last at work.

    It starts MLflow's pages and ends with them (control-C); a tracking server has its own, which are opened.

    \b
    Examples:
      cdkd ui
      cdkd ui lambda
      cdkd ui --port 8080 --no-browser
      cdkd ui --tracking-uri http://tracking.example:5000
    """
    from cdkd.suggestion import hint
    from cdkd.tracking.store import absolute_uri
    from cdkd.tracking.store import tracking_uri as default_uri
    from cdkd.tracking.view import is_served, study_links, view_address

    uri = tracking_uri or default_uri()
    served = is_served(uri)
    # Whoever serves at every address is reached at this machine's own.
    view = view_address(uri) if served else f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"
    links = study_links(uri, view)
    if study is not None and study not in links:
        known = hint(study, sorted(links), "studies") if links else "run a study first: cdkd sweep ablation.yaml"
        raise click.ClickException(f"{study}: no tracked study; {known}")
    if served:
        _open(links, study, view, no_browser)
        return
    with _serving(absolute_uri(uri), host, port) as server:
        _open(links, study, view, no_browser)
        click.echo("Control-C ends it.")
        server.wait()
        raise click.ClickException(f"MLflow's pages ended by themselves, with exit code {server.returncode}")


def _open(links: dict[str, str], study: str | None, view: str, no_browser: bool) -> None:
    import webbrowser

    for name, link in links.items():
        if study in (None, name):
            click.echo(f"{name}: {link}")
    if not links:
        click.echo(f"No study in this store yet: {view}")
    if not no_browser:
        webbrowser.open(links[study] if study is not None else next(iter(links.values()), view))


@contextmanager
def _serving(uri: str, host: str, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    """MLflow's server, answering; it and what it starts end with the block, whatever ends that."""
    if _answers(host, port):
        raise click.ClickException(f"port {port} is taken; name another with --port")
    line = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri, "--host", host, "--port", str(port)]
    # Its jobs are for language models; they would be a process more.
    environment = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", **os.environ}
    # A session of its own, so that its workers end with it.
    # A line for every file that a page asks for would drown the links.
    line += ["--workers", "1", "--uvicorn-opts", "--log-level warning"]
    server = subprocess.Popen(line, env=environment, start_new_session=True)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        deadline = time.monotonic() + _SECONDS_TO_START
        while not _answers(host, port):
            if server.poll() is not None or time.monotonic() > deadline:
                raise click.ClickException("MLflow's pages did not start; what it said stands above")
            time.sleep(0.1)
        yield server
    except KeyboardInterrupt:
        pass
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1" if host == "0.0.0.0" else host, port), timeout=1.0):
            return True
    except OSError:
        return False
