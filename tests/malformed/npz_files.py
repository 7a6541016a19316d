"""Files that are no npz archive of a data set: (name, content, words)."""

import io
import struct
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np

Recipe = Callable[[], bytes]


def array(value: Any, *, pickled: bool = False) -> bytes:
    """Returns the bytes of an npy file."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asarray(value), allow_pickle=pickled)
    return buffer.getvalue()


def npy(header: str | bytes, body: bytes = b"", *, version: int = 1) -> bytes:
    """Returns an npy file of any header; its length is told truly."""
    if isinstance(header, str):
        header = header.encode("latin1")
    kind = "<H" if version == 1 else "<I"
    length = struct.pack(kind, len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + length + header + body


def told(shape: str, descr: str = "'<f4'", body: bytes = b"\0" * 48) -> bytes:
    """Returns an npy file whose header tells a shape and a type."""
    return npy(
        f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}", body
    )


def archive(
    members: dict[str, bytes], kind: int = zipfile.ZIP_DEFLATED
) -> bytes:
    """Returns a zip archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", kind) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return buffer.getvalue()


def x(content: bytes) -> bytes:
    """Returns an archive of one array, x."""
    return archive({"x.npy": content})


def arrays(**values: Any) -> bytes:
    """Returns an archive as numpy writes it."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **values)
    return buffer.getvalue()


def patched(content: bytes, old: bytes, new: bytes, *, last: bool) -> bytes:
    """Returns content with the first or last `old` replaced."""
    at = content.rindex(old) if last else content.index(old)
    return content[:at] + new + content[at + len(new) :]


def with_size(content: bytes, size: int) -> bytes:
    """Returns an archive whose directory tells another size of its member."""
    at = content.rindex(b"PK\x01\x02") + 24
    return content[:at] + struct.pack("<I", size) + content[at + 4 :]


def with_flags(content: bytes, flags: int, method: int) -> bytes:
    """Returns an archive whose member is said to be packed otherwise."""
    local, central = content.index(b"PK\x03\x04"), content.rindex(b"PK\x01\x02")
    made = bytearray(content)
    made[local + 6 : local + 10] = struct.pack("<HH", flags, method)
    made[central + 8 : central + 12] = struct.pack("<HH", flags, method)
    return bytes(made)


GOOD = np.linspace(0, 1, 60, dtype=np.float32).reshape(10, 6)
LABELS = np.arange(10)
LEVELS = np.arange(300, dtype=np.uint8).reshape(10, 6, 5)
WHOLE = arrays(x=GOOD)
NPZ_FILES: list[tuple[str, Recipe, str]] = [
    # No archive.
    ("empty", lambda: b"", "is no readable npz archive: File is not a zip"),
    ("text", lambda: b"1,2,3\n" * 9, "File is not a zip file"),
    ("zeros", lambda: b"\0" * 5000, "File is not a zip file"),
    ("png", lambda: b"\x89PNG\r\n\x1a\n", "File is not a zip file"),
    ("npy", lambda: array(GOOD), "is a single array, not an npz archive"),
    ("npy cut", lambda: array(GOOD)[:20], "is a single array"),
    ("pickle", lambda: b"\x80\x04N.", "File is not a zip file"),
    ("gzip", lambda: b"\x1f\x8b\x08\0" * 9, "File is not a zip file"),
    # An archive that is damaged.
    ("cut", lambda: WHOLE[:-30], "is no readable npz archive"),
    ("cut in half", lambda: WHOLE[: len(WHOLE) // 2], "File is not a zip"),
    ("first byte lost", lambda: WHOLE[1:], "is no readable npz archive"),
    ("name differs", lambda: patched(WHOLE, b"x.npy", b"z.npy", last=False),
     "is no readable npz archive"),
    ("bytes changed", lambda: patched(WHOLE, WHOLE[80:90], b"0123456789",
     last=False), "is no readable npz archive"),
    ("encrypted", lambda: with_flags(WHOLE, 1, 8), "encrypted"),
    ("unknown compression", lambda: with_flags(WHOLE, 0, 77),
     "compression method is not supported"),
    ("not lzma", lambda: with_flags(WHOLE, 0, 14), "is no readable npz"),
    ("not bzip2", lambda: with_flags(WHOLE, 0, 12), "is no readable npz"),
    ("strong encryption", lambda: with_flags(WHOLE, 0x41, 8), "encrypt"),
    ("patched data", lambda: with_flags(WHOLE, 0x20, 8), "patched data"),
    ("size too small", lambda: with_size(WHOLE, 200), "Bad CRC-32"),
    ("size too large", lambda: with_size(WHOLE, 900), "its header tells of"),
    ("size 4 GB", lambda: with_size(WHOLE, 2**32 - 2), "4,096 MiB of memory"),
    ("size of zip64", lambda: with_size(WHOLE, 2**32 - 1), "4,096 MiB of"),
    # An archive without data.
    ("no members", lambda: archive({}), "got no arrays"),
    ("other names", lambda: arrays(images=GOOD, y=LABELS), "got images, y"),
    ("x_train alone", lambda: arrays(x_train=GOOD), "got x_train"),
    ("X", lambda: arrays(X=GOOD), "got X"),
    ("up the folders", lambda: archive({"../x.npy": array(GOOD)}), "../x"),
    ("absolute", lambda: archive({"/x.npy": array(GOOD)}), "got /x"),
    ("folder", lambda: archive({"x/": b""}), "got x/"),
    # Members that are no array.
    ("member of text", lambda: archive({"x": b"hello"}), "npz archive"),
    ("empty member", lambda: x(b""), "is no readable npz archive"),
    ("cut magic", lambda: x(b"\x93NUM"), "is no readable npz archive"),
    ("cut header", lambda: x(array(GOOD)[:40]), "is no readable npz archive"),
    ("no body", lambda: x(array(GOOD)[:128]), "of 240 bytes, and 0 follow"),
    ("cut body", lambda: x(array(GOOD)[:-1]), "of 240 bytes, and 239 follow"),
    ("long body", lambda: x(array(GOOD) + b"\0"), "and 241 follow"),
    ("version 9", lambda: x(npy("{}", version=9)), "unknown format, (9, 0)"),
    ("version 3", lambda: x(npy("{}", version=3)), "unknown format, (3, 0)"),
    ("header of code", lambda: x(npy("__import__('os').abort()")), "npz"),
    ("header of a list", lambda: x(npy("[]")), "npz archive"),
    ("header of nothing", lambda: x(npy("")), "npz archive"),
    ("header of zeros", lambda: x(npy("\0" * 50)), "npz archive"),
    ("header open", lambda: x(npy("{'descr': '''")), "npz archive"),
    ("header of brackets", lambda: x(npy("(" * 9000)), "npz archive"),
    ("header of minuses", lambda: x(npy("-" * 9000 + "1")), "npz archive"),
    ("header of lists", lambda: x(npy("{[]: 1}")), "npz archive"),
    ("header too long", lambda: x(npy("{" + " " * 20_000 + "}", version=2)),
     "Header info length"),
    ("header without shape", lambda: x(npy("{'descr': '<f4'}")), "keys"),
    ("order no bool", lambda: x(npy("{'descr': '<f4', 'fortran_order': 2, "
     "'shape': (3,)}")), "fortran_order"),
    # Headers that lie: the memory they ask for is never taken.
    ("10^12 numbers", lambda: x(told("(1000000000000,)")),
     "of 4,000,000,000,000 bytes, and 48 follow"),
    ("2^40 x 2^40", lambda: x(told(f"({2**40}, {2**40})")), "is damaged"),
    ("2^70 x 0", lambda: x(told(f"({2**70}, 0)", body=b"")), "npz archive"),
    ("10^9 x 0", lambda: x(told("(1000000000, 0)", body=b"")),
     "`x` holds nothing; its shape is [1000000000, 0]"),
    ("negative", lambda: x(told("(-3, -4)")), "is damaged"),
    ("one negative", lambda: x(told("(-1, 12)")), "is damaged"),
    ("no numbers", lambda: x(told("(3.0, 4.0)")), "shape is not valid"),
    ("no tuple", lambda: x(told("[3, 4]")), "shape is not valid"),
    ("70 dimensions", lambda: x(told("(" + "1," * 70 + "12)")), "npz archive"),
    ("no such type", lambda: x(told("(3, 4)", "'<q9'")), "descriptor"),
    ("type of nothing", lambda: x(told("(1000000000000,)", "'|V0'", b"")),
     "must hold numbers; got |V0"),
    ("type of 2 GB", lambda: x(told("()", "'|V2000000000'")), "is damaged"),
    ("type of a list", lambda: x(told("(3, 4)", "[1]")), "npz archive"),
    ("zeros of 2 GB", lambda: with_size(x(told("(536870900,)")), 2**31 - 100),
     "2,048 MiB of memory once decompressed; give --max_resident_mb=2048"),
    # Objects, text, and other things that are no observations.
    ("object", lambda: x(array([None, 3], pickled=True)), "never loaded"),
    ("object in a record", lambda: x(told("(3,)", "[('a', '|O')]")),
     "never loaded"),
    ("labels of objects", lambda: archive({"x.npy": array(GOOD), "y.npy":
     array(["a", None] * 5, pickled=True)}), "`y` must hold numbers"),
    ("text array", lambda: arrays(x=np.array(["a", "b", "c"] * 4)), "got"),
    ("bytes", lambda: arrays(x=np.array([[b"a", b"b"]] * 4)), "got |S1"),
    ("complex", lambda: arrays(x=GOOD + 1j), "got complex"),
    ("dates", lambda: arrays(x=GOOD.astype("M8[s]")), "got datetime64[s]"),
    ("records", lambda: arrays(x=np.zeros([9, 4], "i4,f4")), "got [("),
    ("one number", lambda: arrays(x=3.0), "`x` holds a single number"),
    ("no examples", lambda: arrays(x=GOOD[:0]), "too few examples"),
    ("two examples", lambda: arrays(x=GOOD[:2]), "too few examples"),
    ("one dimension", lambda: arrays(x=GOOD[:, 0]), "got the shape [8]"),
    ("five dimensions", lambda: arrays(x=GOOD[..., None, None, None]),
     "x must be [examples, features]"),
    ("no features", lambda: arrays(x=GOOD[:, :0]), "`x` holds nothing"),
    ("nan", lambda: arrays(x=np.where(GOOD > 0.5, np.nan, GOOD)), "NaN or"),
    ("infinity", lambda: arrays(x=GOOD + np.float32(np.inf)), "or infin"),
    ("too large", lambda: arrays(x=GOOD.astype(float) * 1e300), "infinity"),
    ("negative levels", lambda: arrays(x=LEVELS.astype(int) - 1), "from 0 to"),
    ("levels of 256", lambda: arrays(x=LEVELS.astype(int) + 1), "from 0 to"),
    ("bright floats", lambda: arrays(x=LEVELS.astype(float)), "holds images"),
    # Parts that do not go together.
    ("test of another shape", lambda: arrays(x_train=GOOD, x_test=GOOD[:, 1:]),
     "train and test differ in shape"),
    ("test of another type", lambda: arrays(x_train=LEVELS, x_test=LEVELS / 256
     ), "train and test differ in type"),
    ("test of nothing", lambda: arrays(x_train=GOOD, x_test=GOOD[:0]), "few"),
    ("validation of nothing", lambda: arrays(x_train=GOOD, x_test=GOOD,
     x_validation=GOOD[:0]), "too few examples"),
    ("test of one number", lambda: arrays(x_train=GOOD, x_test=3), "`x_test`"),
    ("labels too few", lambda: arrays(x=GOOD, y=LABELS[1:]), "shape [9]"),
    ("labels of two dimensions", lambda: arrays(x=GOOD, y=GOOD), "[10, 6]"),
    ("label of one number", lambda: arrays(x=GOOD, y=3), "shape []"),
    ("labels negative", lambda: arrays(x=GOOD, y=LABELS - 1), "got -1 to 8"),
    ("labels of floats", lambda: arrays(x=GOOD, y=LABELS / 2), "got float64"),
    ("labels of text", lambda: arrays(x=GOOD, y=LABELS.astype(str)), "got <U"),
    ("labels of switches", lambda: arrays(x=GOOD, y=LABELS > 3), "got bool"),
    ("labels huge", lambda: arrays(x=GOOD, y=LABELS * 10**15), "to 65535; got"),
    ("labels of 2^64", lambda: arrays(x=GOOD, y=LABELS.astype("u8") + np.uint64(
     2**64 - 20)), "to 65535; got"),
]  # fmt: skip
