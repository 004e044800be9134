"""Turns the frames of an episode into a film, an animated picture or a strip of stills."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from envs.drawing import Frame, Pixels
from harness.errors import UserError

BAR = 36
"""Height of the bar below each frame."""
MARGIN = 8
DARK = (20, 24, 32)
LIGHT = (236, 240, 244)
GAP = 4
"""Pixels between two stills."""

Write = Callable[[Path, Iterable[Pixels], Fraction], None]
"""Writes pictures [height, width, 3] to a file, so many a second."""


def captioned(frame: Frame, text: str, signed: float) -> Pixels:
    """The picture of a frame above a bar that says which run this is, when, and its return so far
    beside the signed one."""
    height, width, _ = frame.pixels.shape
    picture = Image.new("RGB", (width, height + BAR), DARK)
    picture.paste(Image.fromarray(frame.pixels))

    # What fits: the return always, the run as far as there is room.
    draw = ImageDraw.Draw(picture)
    now = f"{frame.seconds:.2f} s   return {frame.returned:.1f} of {signed:.1f}"
    at = height + BAR // 2
    room = width - 3 * MARGIN - draw.textlength(now, _font())
    while text and draw.textlength(text, _font()) > room:
        text = text[:-1]
    draw.text((MARGIN, at), text, LIGHT, _font(), anchor="lm")
    draw.text((width - MARGIN, at), now, LIGHT, _font(), anchor="rm")
    return np.asarray(picture)


@cache
def _font() -> ImageFont.FreeTypeFont:
    """The typeface that matplotlib brings: the same on every machine."""
    from matplotlib import font_manager

    return ImageFont.truetype(font_manager.findfont("DejaVu Sans"), 14)


def check_ending(path: Path) -> None:
    """UserError for a file that is written in no known way, or lacks the library for it."""
    if path.suffix not in WRITERS:
        raise UserError(f"--out {path}: expected a file that ends in {', '.join(WRITERS)}.")
    if path.suffix == ".mp4" and find_spec("av") is None:
        raise UserError(
            f"--out {path}: films need av, which is not installed:"
            " `pip install 'mst-bench[clip]'`; .gif and .png need nothing."
        )


def write_mp4(path: Path, pictures: Iterable[Pixels], rate: Fraction) -> None:
    """A film that browsers play: H.264."""
    import av

    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as film:
        stream: Any = film.add_stream("libx264", rate=rate)
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": "20", "preset": "medium"}
        for number, picture in enumerate(pictures):
            if number == 0:
                stream.height, stream.width = picture.shape[:2]
            film.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        film.mux(stream.encode())


def write_gif(path: Path, pictures: Iterable[Pixels], rate: Fraction) -> None:
    """An animated picture that repeats. Its colours are those of the first frame's palette."""
    coloured = _with_palette(pictures)
    next(coloured).save(
        path,
        format="GIF",
        save_all=True,
        append_images=coloured,
        duration=round(1000 / rate),
        loop=0,
    )


def _with_palette(pictures: Iterable[Pixels]) -> Iterator[Image.Image]:
    """The pictures in 256 colours, the same for all: a palette of its own makes each flicker."""
    palette = None
    for picture in pictures:
        image = Image.fromarray(picture)
        if palette is None:
            palette = image.quantize(256)
        yield image.quantize(palette=palette, dither=Image.Dither.NONE)


def write_strip(path: Path, pictures: Iterable[Pixels], rate: Fraction) -> None:
    """Stills side by side, in their order."""
    side_by_side(list(pictures)).save(path, format="PNG", optimize=True)


def side_by_side(stills: Sequence[Pixels]) -> Image.Image:
    """Stills of one size in a row."""
    height, width, _ = stills[0].shape
    strip = Image.new("RGB", (len(stills) * (width + GAP) - GAP, height), "white")
    for number, still in enumerate(stills):
        strip.paste(Image.fromarray(still), (number * (width + GAP), 0))
    return strip


WRITERS: dict[str, Write] = {".mp4": write_mp4, ".gif": write_gif, ".png": write_strip}
"""Ending of a file -> what writes it."""
