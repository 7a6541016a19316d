"""Shows the latent explorer: python -m export.explorer --help."""

import dataclasses
import threading
import urllib.parse

from tfvae import flags, program, settings
from tfvae.errors import InputError
from tfvae.settings import setting

SUMMARY = """Explores the latent space of a served model in a web page.

usage: python -m export.explorer --url=http://HOST:PORT [--name=value ...]

The page asks the server's REST interface itself, from the browser; so the
server must have been started with --rest_api_enable_cors_support=true. Ends
with Ctrl-C. `python -m export.serve` shows the same page at /explorer."""


@dataclasses.dataclass(frozen=True)
class Exploring:
    """Settings of the program.

    Raises:
      InputError: a value is of the wrong type or out of bounds.
    """

    url: str = setting(
        "",
        "the server's REST interface",
        pattern=r"https?://[\w.-]+(:\d+)?(/[\w./-]*)?|"
        r"https?://\[[\da-fA-F:]+\](:\d+)?(/[\w./-]*)?",
        pattern_text="an address as http://localhost:8501",
    )
    model: str = setting(
        "", "to open; empty: vae, or decoder where there is no vae"
    )
    host: str = setting("127.0.0.1", "address at which the page is shown")
    port: int = setting(
        8600, "of the page; 0: a free one",
        number=int, minimum=0, maximum=65535,
    )  # fmt: skip

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            settings.check(field, getattr(self, field.name))
        try:
            _, _, port = urllib.parse.urlsplit(self.url).netloc.rpartition(":")
        except ValueError as error:
            raise InputError(
                f"`url` {self.url} is no address: {error}."
            ) from error
        if port.isdigit() and not 0 < int(port) < 65536:
            raise InputError(
                f"`url` {self.url} must have a port from 1 to 65535."
            )


def main(argv: list[str]) -> int:
    """Reads the command line, shows the page, and returns the exit status."""
    asked = flags.parse_as(Exploring, argv, summary=SUMMARY)
    from export import explorer
    from export.explorer import local, reach

    url = asked.url.rstrip("/")
    name = reach.find_model(url, asked.model)
    shown = explorer.page(url, model=name)
    server = local.listen(shown, host=asked.host, port=asked.port)
    try:
        address = f"http://{asked.host}:{server.port}/"
        print(f"Explore {name} of {url} at {address} (Ctrl-C ends)", flush=True)
        threading.Event().wait()
    except KeyboardInterrupt:
        return program.INTERRUPTED
    finally:
        server.close()
    return program.DONE


if __name__ == "__main__":
    program.run_main(main, stopped="stopped.")
