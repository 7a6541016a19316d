"""What `generate` cannot start from: (run, arguments, words).

Files are made by `write_files`, beside the runs.
"""

import os
import pathlib

from PIL import Image

from tests.malformed.image_files import JPEG, PNG, jpeg, png, saved


def write_files(folder: pathlib.Path) -> None:
    """Writes images, good and bad, and folders of them."""
    (folder / "good.png").write_bytes(PNG())  # 6x5, where the runs have 9x7
    fitting = Image.new("RGB", (7, 9))
    (folder / "fitting.png").write_bytes(saved("png", fitting))
    (folder / "good.jpg").write_bytes(JPEG())
    (folder / "cut.png").write_bytes(PNG()[:60])
    (folder / "bomb.png").write_bytes(png(60_000, 60_000))
    (folder / "bomb.jpg").write_bytes(jpeg(65_500, 65_500))
    (folder / "text.png").write_text("no image")
    (folder / "good.bmp").write_bytes(b"BM")
    (folder / "folder.png").mkdir()
    (folder / "none").mkdir()
    (folder / "bad").mkdir()
    (folder / "bad" / "a.png").write_bytes(PNG())
    (folder / "bad" / "b.png").write_bytes(PNG()[:60])
    os.mkfifo(folder / "pipe.png")


STARTS = ["reconstruct", "--out=a.npz"]
SUMS = ["arithmetic", "--out=a.npz", "--minus=0"]
GENERATION_INPUTS: list[tuple[str, list[str], str]] = [
    ("plain", [*STARTS, "--indices=20"], "`indices` must be from 0 to 19"),
    ("plain", [*STARTS, "--indices=2147483647"], "`indices` must be from 0"),
    ("plain", [*STARTS, "--indices=2147483648"], "`indices` must be a list"),
    ("plain", [*STARTS, "--indices=1,x"], "`indices` must be a list"),
    ("plain", [*STARTS, "--indices=1.5"], "`indices` must be a list"),
    ("plain", [*STARTS, "--images=gone.png"], "No such file or directory"),
    ("plain", [*STARTS, "--images=cut.png"], "cannot read the image cut.png"),
    ("plain", [*STARTS, "--images=good.png,cut.png"], "the image cut.png"),
    ("plain", [*STARTS, "--images=bomb.png"], "it has 60000x60000 pixels"),
    ("plain", [*STARTS, "--images=bomb.jpg"], "it has 65500x65500 pixels"),
    ("plain", [*STARTS, "--images=text.png"], "it is no PNG or JPEG"),
    ("plain", [*STARTS, "--images=pipe.png"], "not a regular file"),
    ("plain", [*STARTS, "--images=folder.png"], "Is a directory"),
    ("plain", [*STARTS, "--images=good.bmp"], "image files must end in .png"),
    ("plain", [*STARTS, "--images=,"], "image files must end in .png"),
    ("plain", [*STARTS, "--images=good.png,"], "got ''."),
    ("plain", [*STARTS, "--label=1"], "`label` needs a run that was trained"),
    ("plain", [*STARTS, "--mask=left"], "`mask` needs a run that was trained"),
    ("plain", ["sample", "--out=none/.png"], "`out` must name the file"),
    ("plain", ["sample", "--out=none"], "`out` must name the file"),
    ("plain", ["sample", "--out=folder.png"], "cannot be written: it is a fol"),
    ("plain", ["sample", "--out=good.png/a.png"], "good.png is no folder"),
    ("plain", ["sample", "--out=" + "x" * 300 + ".npz"], "File name too long"),
    ("plain", [*STARTS[:1], "--out=good.png", "--images=good.png"],
     "would write over good.png, which is read"),
    ("plain", ["traverse", "--out=a.npz", "--dims=4"], "`dims`"),
    ("plain", ["traverse", "--out=a.npz", "--dims=2147483647"], "`dims`"),
    ("plain", ["manifold", "--out=a.npz"], "latent_dim"),
    ("plain", ["interpolate", "--out=a.npz", "--indices=1"], "an odd number"),
    ("plain", ["inpaint", "--out=a.npz"], "mask"),
    ("plain", [*SUMS, "--plus=3"], "`plus` must be from 0 to 2, a class"),
    ("plain", [*SUMS, "--plus=-1"], "`plus` must be a class of the run's data"),
    ("plain", [*SUMS, "--plus=" + "9" * 5000], "`plus` must be from 0 to 2"),
    ("plain", [*SUMS, "--plus=²"], "`plus` must be a class of the run's data"),
    ("plain", [*SUMS, "--plus=gone"], "got 'gone'."),
    ("plain", [*SUMS, "--plus=good.png"], "a folder of images; got 'good.png'"),
    ("plain", [*SUMS, "--plus=none"], "`plus` none holds no PNG or JPEG file"),
    ("plain", [*SUMS, "--plus=bad"], "cannot read the image bad/b.png: "),
    ("plain", SUMS, "`plus` must be a class of the run's data or a folder"),
    ("plain", [*SUMS, "--plus=1", "--strengths=nan"], "`strengths` must be"),
    ("plain", [*SUMS, "--plus=1", "--strengths=1e9"], "`strengths` must be"),
    ("label", ["sample", "--out=a.npz", "--label=3"], "`label` must be from 0"),
    ("label", [*STARTS, "--indices=1,2", "--label=0,1,2"], "for each of 2 im"),
    ("label", [*STARTS, "--images=fitting.png"], "give --label=N"),
    ("mask", ["inpaint", "--out=a.npz", "--mask=lft"], "`mask` must be one of"),
    ("mask", ["inpaint", "--out=a.npz", "--mask=gone.png"], "got 'gone.png'."),
    ("mask", ["inpaint", "--out=a.npz", "--mask=pipe.png"], "got 'pipe.png'."),
    ("mask", ["inpaint", "--out=a.npz", "--mask=none"], "got 'none'."),
    ("mask", ["inpaint", "--out=a.npz", "--mask=good.png"], "must be 9x7"),
    ("mask", ["inpaint", "--out=a.npz", "--mask=cut.png"], "cut.png: "),
    ("mask", ["inpaint", "--out=a.npz", "--mask=bomb.png"], "60000x60000"),
    ("mask", ["inpaint", "--out=a.npz", "--mask=good.bmp"], "must end in .png"),
    ("mask", ["sample", "--out=a.npz"], "shows no image to complete"),
]  # fmt: skip
