"""Methods, paths and headers that are wrong, and how each is refused."""

from collections.abc import Iterator

from tests.malformed_requests.answers import Case

MALFORMED, HTML = "Malformed request: ", "<H1>Not Found</H1>"
NO_SUCH, NOT_SERVED = "Could not find any versions of model ", "not found for"
BAD, UNKNOWN = "<H1>Bad Request</H1>", "<H1>Not Implemented</H1>"
BODY = b'{"instances": [[1, 2, 3]]}'
LONG = b"a" * 100_000

# (name, path, status, words) of GET
PATHS: tuple[tuple[str, bytes, int, str], ...] = (
    ("root", b"/", 404, HTML),
    ("two slashes", b"//", 404, HTML),
    ("v2", b"/v2/models/decoder", 404, HTML),
    ("no model", b"/v1/models", 400, "Missing model name in request."),
    ("no name", b"/v1/models/", 400, MALFORMED),
    ("unknown", b"/v1/models/no", 404, f"{NO_SUCH}no"),
    ("dots", b"/v1/models/..", 404, f"{NO_SUCH}.."),
    ("dots up", b"/v1/models/../../etc/passwd", 400, MALFORMED),
    ("dots at the root", b"/../../etc/passwd", 404, HTML),
    ("encoded dots", b"/v1/models/%2e%2e%2f%2e%2e%2fetc", 404, NO_SUCH),
    ("encoded dots at the root", b"/%2e%2e/%2e%2e/etc/passwd", 404, HTML),
    ("twice encoded dots", b"/v1/models/%252e%252e%252f", 404, NO_SUCH),
    ("overlong dots", b"/v1/models/%c0%ae%c0%ae%c0%af", 404, NO_SUCH),
    ("backslashes", b"/v1/models/..\\..\\a", 400, BAD),
    ("NUL", b"/v1/models/decoder%00.txt", 404, NO_SUCH),
    ("newline", b"/v1/models/a%0d%0aX%20b", 404, NO_SUCH),
    ("no UTF-8", b"/v1/models/%ff%fe", 404, NO_SUCH),
    ("half an escape", b"/v1/models/%f", 400, BAD),
    ("no escape", b"/v1/models/%zz", 400, BAD),
    ("IIS escape", b"/v1/models/%u0041", 400, BAD),
    ("a pipe", b"/v1/models/a|b", 400, BAD),
    ("a quote", b'/v1/models/"', 400, BAD),
    ("a tag", b"/v1/models/<script>", 400, BAD),
    ("an encoded tag", b"/v1/models/%3Cscript%3E", 404, NO_SUCH),
    ("long name", b"/v1/models/" + LONG, 404, NO_SUCH),
    ("long path", b"/v1/" + LONG + b"/" + LONG, 400, MALFORMED),
    ("many slashes", b"/v1/models" + b"/a" * 50_000, 400, MALFORMED),
    ("many escapes", b"/v1/models/" + b"%41" * 50_000, 404, NO_SUCH),
    ("version of words", b"/v1/models/decoder/versions/one", 400, MALFORMED),
    ("version below 0", b"/v1/models/decoder/versions/-1", 400, MALFORMED),
    ("version unknown", b"/v1/models/decoder/versions/9", 404, "version 9 of"),
    ("version 2^63", b"/v1/models/decoder/versions/9223372036854775808", 400,
     ""),
    ("long version", b"/v1/models/decoder/versions/" + b"9" * 5000, 400, ""),
    ("version in Arabic", b"/v1/models/decoder/versions/%D9%A1", 400,
     MALFORMED),
    ("two versions", b"/v1/models/decoder/versions/1/versions/2", 400,
     MALFORMED),
    ("version and label", b"/v1/models/decoder/versions/1/labels/a", 400,
     MALFORMED),
    ("no label", b"/v1/models/decoder/labels/", 400, MALFORMED),
    ("metadata of none", b"/v1/models/no/metadata", 404, NOT_SERVED),
    ("more metadata", b"/v1/models/decoder/metadata/x", 400, MALFORMED),
    ("GET of a prediction", b"/v1/models/decoder:predict", 400, MALFORMED),
    ("query", b"/v1/models/decoder?a=b", 404, NO_SUCH),
    ("fragment", b"/v1/models/decoder#a", 404, NO_SUCH),
    ("star", b"*", 404, HTML),
    ("no slash", b"v1/models/decoder", 404, HTML),
)  # fmt: skip
# (name, method, path, status, words), with a good body.
METHODS: tuple[tuple[str, str, bytes, int, str], ...] = (
    ("POST of a status", "POST", b"/v1/models/decoder", 400, MALFORMED),
    ("POST of metadata", "POST", b"/v1/models/decoder/metadata", 400,
     MALFORMED),
    ("upper case", "POST", b"/v1/models/decoder:PREDICT", 400, MALFORMED),
    ("no verb", "POST", b"/v1/models/decoder:", 400, MALFORMED),
    ("other verb", "POST", b"/v1/models/decoder:delete", 400, MALFORMED),
    ("two verbs", "POST", b"/v1/models/decoder:predict:predict", 400,
     MALFORMED),
    ("no such model", "POST", b"/v1/models/no:predict", 404, NOT_SERVED),
    ("model of no UTF-8", "POST", b"/v1/models/%ff:predict", 404, NOT_SERVED),
    ("no such version", "POST", b"/v1/models/decoder/versions/9:predict", 404,
     "Specific(decoder, 9)"),
    ("no such label", "POST", b"/v1/models/decoder/labels/%ff:predict", 400,
     "Unrecognized servable version label"),
    ("long version", "POST",
     b"/v1/models/decoder/versions/" + b"9" * 5000 + b":predict", 400, ""),
    ("query of a prediction", "POST", b"/v1/models/decoder:predict?a=b", 400,
     MALFORMED),
    ("PUT", "PUT", b"/v1/models/decoder:predict", 400, MALFORMED),
    ("DELETE", "DELETE", b"/v1/models/decoder", 400, MALFORMED),
    ("PATCH", "PATCH", b"/v1/models/decoder", 400, MALFORMED),
    ("HEAD", "HEAD", b"/v1/models/decoder", 400, ""),
    ("OPTIONS", "OPTIONS", b"/v1/models/decoder", 400, ""),
    # The real server answers these with 501 as well.
    ("TRACE", "TRACE", b"/v1/models/decoder", 501, UNKNOWN),
    ("CONNECT", "CONNECT", b"localhost:80", 501, UNKNOWN),
    ("PROPFIND", "PROPFIND", b"/v1/models/decoder", 501, UNKNOWN),
    ("long method", "A" * 5000, b"/v1/models/decoder", 501, UNKNOWN),
    ("small letters", "get", b"/v1/models/decoder", 501, UNKNOWN),
)  # fmt: skip


def cases() -> Iterator[Case]:
    """Yields them all."""
    for name, path, status, words in PATHS:
        yield Case(name, "GET", path, b"", b"", status, words)
    for name, method, path, status, words in METHODS:
        yield Case(name, method, path, b"", BODY, status, words)
