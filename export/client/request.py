"""What is asked of a server: the settings of export.client."""

import dataclasses
import os

from tfvae import settings
from tfvae.errors import InputError
from tfvae.settings import setting

ALWAYS = (
    "mode", "url", "model", "version", "version_label", "timeout", "wait",
    "header", "ca", "cert", "key",
)  # fmt: skip
CONDITION = ("label", "images", "mask")
WORK = ("out", "num_concurrent")
# What each mode has a use for, beside ALWAYS.
MODES: dict[str, tuple[str, ...]] = {
    "decode": (*WORK, "z", *CONDITION),
    "sample": (*WORK, "num", "seed", *CONDITION),
    "encode": (*WORK, *CONDITION),
    "reconstruct": (*WORK, *CONDITION),
    "score": (*WORK, "seed", *CONDITION),
    "status": (),
}
# What can be written, and by which modes.
ENDINGS: dict[str, tuple[str, ...]] = {
    ".png": ("decode", "sample", "reconstruct"),
    ".npz": ("decode", "sample", "encode", "reconstruct", "score"),
}
NUM_DRAWS = 64
MOST_SHOWN = 1000  # in one picture


@dataclasses.dataclass(frozen=True)
class Request:
    """Settings of a request.

    Raises:
      InputError: a value is of the wrong type or out of bounds, of no use in
        the mode, or missing.
    """

    mode: str = setting("", "what to ask for", words=tuple(MODES))
    url: str = setting(
        "",
        "of the server: http://HOST:PORT or https:// for REST, "
        "grpc://HOST:PORT or grpcs:// for gRPC",
    )
    model: str = setting(
        "",
        "name of the servable; empty: vae for encode, reconstruct and score, "
        "else decoder; status: both",
    )
    version: str | int = setting(
        "latest",
        "number of its version",
        words=("latest",), number=int, minimum=1, maximum=2**63 - 1,
    )  # fmt: skip
    version_label: str = setting(
        "", "label of its version instead, as stable or canary"
    )
    timeout: float = setting(
        30.0,
        "seconds for a request, further tries included",
        number=float, above=0, maximum=1e6,
    )  # fmt: skip
    wait: float = setting(
        0.0,
        "seconds to wait at most until the model is available; 0: none",
        number=float, minimum=0, maximum=1e6,
    )  # fmt: skip
    header: str = setting(
        "", 'sent with every request, for a proxy: "Name: value"'
    )
    ca: str = setting(
        "", "certificates to trust (PEM file); empty: the system's"
    )
    cert: str = setting("", "our own certificate (PEM file)")
    key: str = setting("", "its key (PEM file)")
    out: str = setting(
        "",
        "FILE.png (decode, sample, reconstruct): the image as it was served, "
        "several as a grid; FILE.npz: the arrays",
    )
    z: str = setting(
        "",
        "decode: numbers with commas between, of one code after another; or "
        "FILE.npz that holds `z`",
    )
    num: int = setting(
        NUM_DRAWS, "sample: draws", number=int, minimum=1, maximum=10_000_000
    )
    seed: int = setting(
        0,
        "sample, score: of the first row; each further row has the next one",
        number=int, minimum=0, maximum=2**63 - 1,
    )  # fmt: skip
    label: tuple[int, ...] = setting(
        (),
        "models of --condition=label: the class, or one for each row; none: "
        "for sample all in turn",
        number=int, minimum=0, is_list=True,
    )  # fmt: skip
    images: str = setting(
        "",
        "what to encode, reconstruct, score or complete: FILE.npz that holds "
        "`x`, a folder, or image files with commas between; another size or "
        "another number of channels is brought to the model's",
    )
    mask: str = setting(
        "",
        "models of --condition=mask: which pixels are seen, an image file "
        "(white: seen) or FILE.npz that holds `mask`",
    )
    num_concurrent: int = setting(
        4, "requests under way at once", number=int, minimum=1, maximum=1000
    )

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = settings.check(field, getattr(self, field.name))
            object.__setattr__(self, field.name, value)
        self._check_uses()
        if not self.url:
            raise InputError(
                "`url` must name the server; give --url=http://HOST:PORT or "
                "--url=grpc://HOST:PORT."
            )
        if self.header and ":" not in self.header:
            raise InputError(
                f'`header` must be "Name: value"; got {self.header!r}.'
            )
        if self.mode != "status":
            self._check_out()

    @property
    def ending(self) -> str:
        """Of the file to write: ".png" or ".npz"."""
        return os.path.splitext(self.out)[1].lower()

    @property
    def headers(self) -> dict[str, str]:
        """The header by its name."""
        name, _, value = self.header.partition(":")
        return {name.strip(): value.strip()} if self.header else {}

    def _check_uses(self) -> None:
        for field in dataclasses.fields(self):
            is_given = getattr(self, field.name) != field.default
            if is_given and field.name not in (*ALWAYS, *MODES[self.mode]):
                raise InputError(
                    f"`{field.name}` is of no use to {self.mode}, which takes "
                    f"{', '.join(MODES[self.mode]) or 'no settings'}."
                )

    def _check_out(self) -> None:
        if self.ending not in ENDINGS:
            raise InputError(
                "`out` must name the file to write, one that ends in "
                f"{', '.join(ENDINGS)}; got {self.out!r}."
            )
        if self.mode not in ENDINGS[self.ending]:
            raise InputError(
                f"`out` {self.out}: {self.mode} gives numbers, no picture; "
                "give a FILE.npz."
            )
