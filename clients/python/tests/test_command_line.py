"""The command line, as people and pipes use it."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ekiben_client.cli import commands
from ekiben_client.cli.subtitles import clock

from .readme import PROJECT
from .stand_in import picture

ENVIRONMENT = {name: value for name, value in os.environ.items() if "EKIBEN" not in name}


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with three pictures in it."""
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (tmp_path / name).write_bytes(picture("JPEG"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ekiben(
    *arguments: str, url: str = "", input: bytes = b"", variables: Mapping[str, str] | None = None
) -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "ekiben_client", *arguments],
        env={**ENVIRONMENT, "PYTHONPATH": str(PROJECT / "src"), "EKIBEN_URL": url, **(variables or {})},
        input=input,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout.decode("utf-8", "surrogateescape"), done.stderr.decode()


@pytest.mark.usefixtures("photos")
def test_into_a_pipe_come_lines_with_tabs(stand_in: str) -> None:
    assert ekiben("classify", "a.jpg", url=stand_in) == (0, "tiger cat\t0.3851\nEgyptian cat\t0.3627\n", "")
    code, out, _ = ekiben("classify", "a.jpg", "b.jpg", "--top-k", "1", url=stand_in)
    assert (code, out) == (0, "a.jpg\ttiger cat\t0.3851\nb.jpg\ttiger cat\t0.3851\n")


@pytest.mark.usefixtures("photos")
def test_patterns_that_the_shell_left_alone_are_expanded(stand_in: str) -> None:
    code, out, _ = ekiben("classify", "[ab]*.jpg", "--json", url=stand_in)
    assert [json.loads(line)["input"] for line in out.splitlines()] == ["a.jpg", "b.jpg"]
    assert code == 0


@pytest.mark.usefixtures("photos")
def test_one_failure_does_not_lose_the_rest(stand_in: str) -> None:
    Path("b.jpg").write_bytes(b"not a picture")
    code, out, err = ekiben("classify", "a.jpg", "b.jpg", "nowhere.jpg", "c.jpg", "--json", url=stand_in)
    first, refused, missing, last = map(json.loads, out.splitlines())
    assert code == 1
    assert err == ""
    assert first["result"]["labels"][0] == {"label": "tiger cat", "score": 0.3851}
    assert first["meta"]["timing"]["infer_ms"] == 9.0
    assert (refused["error"]["type"], refused["error"]["status"]) == ("InvalidInput", 422)
    assert refused["error"]["fields"] == [{"field": "image", "message": "cannot be decoded"}]
    assert missing["error"]["type"] == "UnreadableInput"
    assert last["input"] == "c.jpg"


def test_errors_for_people_name_the_file_on_standard_error(photos: Path, stand_in: str) -> None:
    code, out, err = ekiben("classify", "nowhere.jpg", "a.jpg", "--top-k", "1", url=stand_in)
    assert (code, out) == (1, "a.jpg\ttiger cat\t0.3851\n")
    assert err == "ekiben: nowhere.jpg: the file cannot be read: No such file or directory\n"


@pytest.mark.usefixtures("photos")
def test_a_server_that_is_not_there_is_exit_code_3() -> None:
    code, out, err = ekiben("classify", "a.jpg", "--retries", "0", url="http://127.0.0.1:9")
    assert (code, out) == (3, "")
    assert "no answer" in err
    assert ekiben("models", "--retries", "0", url="http://127.0.0.1:9")[0] == 3


USAGE = [
    ("classify", "*.gif"),
    ("classify", "-", "-"),
    ("classify", "a.jpg", "--top-k", "0"),
    ("classify", "a.jpg", "--url", "localhost"),
    ("detect", "a.jpg", "b.jpg", "-o", "c.jpg"),
    ("detect", "a.jpg", "./a.jpg", "-o", "boxes/"),
    ("style", "a.jpg", "-o", "out.png"),
    ("style", "a.jpg", "b.jpg", "--style", "style-03"),
    ("transcribe", "a.jpg", "b.jpg", "--stream"),
    ("translate", "Good morning"),
    ("paint",),
]


@pytest.mark.usefixtures("photos")
@pytest.mark.parametrize("arguments", USAGE, ids=" ".join)
def test_wrong_usage_is_exit_code_2_and_says_why(
    arguments: tuple[str, ...], stand_in: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EKIBEN_URL", stand_in)
    with pytest.raises(SystemExit) as exit:
        commands.ekiben(arguments)
    out, err = capsys.readouterr()
    assert (exit.value.code, out) == (2, "")
    assert "Error: " in err


def test_standard_input_is_a_picture(stand_in: str) -> None:
    for arguments in (("classify",), ("classify", "-")):
        code, out, _ = ekiben(*arguments, "--top-k", "1", url=stand_in, input=picture())
        assert (code, out) == (0, "tiger cat\t0.3851\n")


@pytest.mark.parametrize("command", ["detect", "faces"])
def test_boxes_are_drawn_upright(command: str, photos: Path, stand_in: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (200, 300), "white").save("lying.jpg", exif=exif)
    assert ekiben(command, "lying.jpg", "-o", "boxes.png", url=stand_in)[0] == 0
    with Image.open("boxes.png") as image:
        assert image.size == (300, 200)
        assert image.convert("RGB").getpixel((10, 50)) != (255, 255, 255)  # the box's left side
        assert image.convert("RGB").getpixel((200, 150)) == (255, 255, 255)


def test_many_pictures_are_drawn_into_a_folder(photos: Path, stand_in: str) -> None:
    code, out, _ = ekiben("detect", "*.jpg", "-o", "boxes", "--threshold", "0.9", url=stand_in)
    assert code == 0
    assert out.splitlines()[1] == "b.jpg\tcat\t0.9800\t10\t12\t90\t80"
    assert sorted(path.name for path in (photos / "boxes").iterdir()) == ["a.png", "b.png", "c.png"]


@pytest.mark.usefixtures("photos")
def test_a_picture_that_cannot_be_written_is_an_error_of_its_input(stand_in: str) -> None:
    for arguments in (("detect", "-o", "nowhere/x.png"), ("style", "--style", "style-03", "-o", "nowhere/x.png")):
        code, _, err = ekiben(*arguments, "a.jpg", url=stand_in)
        assert code == 1
        assert "cannot be written" in err


@pytest.mark.parametrize(("name", "format"), [("out.png", "PNG"), ("out.jpg", "JPEG"), ("out.webp", "WEBP")])
def test_the_outputs_ending_is_its_format(name: str, format: str, photos: Path, stand_in: str) -> None:
    assert ekiben("style", "a.jpg", "--style", "style-03", "-o", name, url=stand_in) == (0, "", "")
    with Image.open(photos / name) as image:
        assert image.format == format


@pytest.mark.usefixtures("photos")
def test_a_painting_goes_through_a_pipe(stand_in: str) -> None:
    code, out, _ = ekiben("style", "a.jpg", "--style-image", "b.jpg", "--format", "jpeg", url=stand_in)
    assert code == 0
    assert out.encode("utf-8", "surrogateescape").startswith(b"\xff\xd8\xff")


SRT = """\
1
00:00:00,000 --> 00:00:01,500
Good morning.

2
01:01:01,250 --> 01:01:06,250
Where is the station?

"""
VTT = "WEBVTT\n\n" + SRT.replace("1\n00", "00").replace("2\n01", "01").replace(",", ".")


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        ((), "Good morning. Where is the station?\n"),
        (("--format", "srt"), SRT),
        (("--format", "vtt"), VTT),
        (("--stream",), " Good morning. Where is the station?\n"),
    ],
)
def test_transcripts(arguments: tuple[str, ...], printed: str, stand_in: str) -> None:
    assert ekiben("transcribe", *arguments, url=stand_in, input=b"RIFF") == (0, printed, "")


@pytest.mark.usefixtures("photos")
def test_transcripts_as_json_and_into_a_folder(stand_in: str) -> None:
    _, out, _ = ekiben("transcribe", "a.jpg", "--format", "json", url=stand_in)
    assert json.loads(out)["result"]["chunks"][0] == {"text": " Good morning.", "timestamp": [0.0, 1.5]}
    assert ekiben("transcribe", "a.jpg", "b.jpg", "--format", "srt", "-o", "subtitles", url=stand_in)[0] == 0
    assert Path("subtitles/b.srt").read_text() == SRT


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "00:00:00,000"), (59.9996, "00:01:00,000"), (3599.9994, "00:59:59,999")]
)
def test_clock(seconds: float, shown: str) -> None:
    assert clock(seconds, ",") == shown


def test_translations(stand_in: str) -> None:
    assert ekiben("translate", "Good", "Grüße", "--to", "pt", url=stand_in) == (0, "pt: Good\npt: Grüße\n", "")
    assert ekiben("translate", "--to", "pt", url=stand_in, input="Grüße".encode()) == (0, "pt: Grüße\n", "")


def test_models_and_styles(stand_in: str) -> None:
    assert ekiben("models", url=stand_in)[1].startswith("efficientnet-lite0\timage-classification\tdefault\tCPU\t")
    assert json.loads(ekiben("styles", "--json", url=stand_in)[1])[1] == {"name": "style-03", "title": "Dry brush"}


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_completion(shell: str) -> None:
    assert "_EKIBEN_COMPLETE" in ekiben("completion", shell)[1]


def test_completion_finds_commands_and_options() -> None:
    for words, found in (("ekiben cl", "classify"), ("ekiben classify --to", "--top-k")):
        variables = {"_EKIBEN_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
        assert f"plain,{found}" in ekiben(variables=variables)[1]


def test_a_closed_pipe_ends_quietly(photos: Path, stand_in: str) -> None:
    command = f"{sys.executable} -m ekiben_client classify {'a.jpg ' * 200} | head -1"
    variables = {**ENVIRONMENT, "PYTHONPATH": str(PROJECT / "src"), "EKIBEN_URL": stand_in}
    done = subprocess.run(["/bin/sh", "-c", command], env=variables, capture_output=True, check=False, timeout=60)
    assert done.stdout == b"a.jpg\ttiger cat\t0.3851\n"
    assert done.stderr == b""


def on_a_terminal(arguments: list[str], url: str, **streams: Any) -> str:
    """What a terminal shows."""
    leader, follower = pty.openpty()
    variables = {**ENVIRONMENT, "PYTHONPATH": str(PROJECT / "src"), "EKIBEN_URL": url, "TERM": "xterm"}
    terminal = {"stdin": follower, "stdout": follower, "stderr": follower, **streams}
    process = subprocess.Popen([sys.executable, "-m", "ekiben_client", *arguments], env=variables, **terminal)
    os.close(follower)
    shown = b""
    with os.fdopen(leader, "rb", buffering=0) as screen:
        try:
            while data := screen.read(1_000):
                shown += data
        except OSError:  # Linux's way to say that the last writer is gone
            pass
    assert process.wait(60) == 0
    return shown.decode()


@pytest.mark.usefixtures("photos")
def test_on_a_terminal_there_are_tables_and_a_bar(stand_in: str) -> None:
    one = on_a_terminal(["classify", "a.jpg"], stand_in)
    assert "label" in one
    assert "tiger cat      0.3851" in one
    assert "1/1" not in one
    assert "3/3" in on_a_terminal(["classify", "a.jpg", "b.jpg", "c.jpg"], stand_in)


@pytest.mark.usefixtures("photos")
def test_the_bar_stays_out_of_a_pipe(stand_in: str) -> None:
    with Path("out.tsv").open("wb") as out:
        shown = on_a_terminal(["classify", "a.jpg", "b.jpg", "--top-k", "1"], stand_in, stdout=out)
    assert "2/2" in shown
    assert Path("out.tsv").read_text() == "a.jpg\ttiger cat\t0.3851\nb.jpg\ttiger cat\t0.3851\n"
