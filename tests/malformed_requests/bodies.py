"""Bodies of predictions that are wrong, and how each is refused."""

import base64
import gzip
import json
from collections.abc import Iterator

from tests.malformed_requests.answers import Case

PARSE = "JSON Parse error: "
GZIP = b"Content-Encoding: gzip\r\n"
GOOD = b'{"instances": [[1, 2, 3]]}'
PACKED = gzip.compress(GOOD)
EMPTY = f"{PARSE}The document is empty"

# (name, body, words); a 400 each.
TEXTS: tuple[tuple[str, bytes, str], ...] = (
    ("nothing", b"", EMPTY),
    ("blanks", b" \n\t ", EMPTY),
    ("a NUL", b"\0", EMPTY),
    ("a byte order mark", b"\xef\xbb\xbf", EMPTY),
    ("UTF-16", GOOD.decode().encode("utf-16"), "Invalid value. at offset: 0"),
    ("UTF-32", GOOD.decode().encode("utf-32-be"), EMPTY),
    ("a word", b"instances", "Invalid value. at offset: 0"),
    ("single quotes", b"{'instances': [1]}", "Missing a name for object memb"),
    ("XML", b"<instances/>", "Invalid value. at offset: 0"),
    ("YAML", b"instances:\n- 1\n", "Invalid value. at offset: 0"),
    ("a form", b"instances=1", "Invalid value. at offset: 0"),
    ("protobuf", b"\n\x09\n\x07decoder", "Invalid value. at offset: 3"),
    ("random", bytes(range(255, 0, -1)), "Invalid value. at offset: 0"),
    ("a PNG", b"\x89PNG\r\n\x1a\n", "Invalid value. at offset: 0"),
    ("an open object", b"{", "Missing a name for object member."),
    ("an open name", b'{"a', "Missing a closing quotation mark"),
    ("a name alone", b'{"a"', "Missing a colon after a name"),
    ("a colon alone", b'{"a":', "Invalid value. at offset: 5"),
    ("no comma", b'{"a": 1 "b": 2}', "Missing a comma or '}'"),
    ("a comma too many", b'{"a": 1,}', "Missing a name for object member."),
    ("an open list", b'{"instances": [', "Invalid value."),
    ("a list's last comma", b'{"instances": [1,]}', "Invalid value."),
    ("the wrong bracket", b'{"instances": [1}', "Missing a comma or ']'"),
    ("a comment", b'{/* a */ "a": 1}', "Missing a name for object member."),
    ("cut in a word", b'{"a": tru', "Invalid value. at offset: 9"),
    ("True", b'{"a": True}', "Invalid value. at offset: 6"),
    ("None", b'{"a": None}', "Invalid value. at offset: 7"),
    ("nan", b'{"a": nan}', "Invalid value. at offset: 7"),
    ("+Infinity", b'{"a": +Infinity}', "Invalid value. at offset: 6"),
    ("1.", b'{"a": 1.}', "Miss fraction part in number. at offset: 8"),
    (".5", b'{"a": .5}', "Invalid value. at offset: 6"),
    ("+1", b'{"a": +1}', "Invalid value. at offset: 6"),
    ("01", b'{"a": 01}', "Missing a comma or '}'"),
    ("1e", b'{"a": 1e}', "Miss exponent in number. at offset: 8"),
    ("0x10", b'{"a": 0x10}', "Missing a comma or '}'"),
    ("1_000", b'{"a": 1_000}', "Missing a comma or '}'"),
    ("1e309", b'{"a": 1e309}', "Number too big to be stored in double."),
    ("digits", b'{"a": ' + b"9" * 99999 + b"}", "Number too big to be store"),
    ("exponent", b'{"a": 1e' + b"9" * 99999 + b"}", "Number too big to be st"),
    ("a lone surrogate", b'{"a": "\\ud800"}', "The surrogate pair in string"),
    ("a low one first", b'{"a": "\\ud800\\ud800"}', "The surrogate pair in st"),
    ("\\x", b'{"a": "\\x41"}', "Invalid escape character in string."),
    ("\\u12", b'{"a": "\\u12"}', "Incorrect hex digit after \\u escape"),
    ("a line in a string", b'{"a": "\n"}', "Invalid escape character in str"),
    ("deep lists", b"[" * 10**5, "More than 1000 lists and objects in each"),
    ("deep objects", b'{"a":' * 10**5, "More than 1000 lists and objects in"),
    ("deep rows", b'{"instances":' + b"[" * 990 + b"]" * 990 + b"}", "tensor"),
    ("deep echo", b"[" * 900 + b"]" * 900, "lists or objects in too many oth"),
    ("a list", b"[[1, 2, 3]]", "Is not object"),
    ("a number", b"1", "Is not object"),
    ("null", b"null", "Is not object"),
    ("a string", b'"instances"', "Is not object"),
    ("no rows", b"{}", "Missing 'inputs' or 'instances' key"),
    ("Instances", b'{"Instances": [[1, 2, 3]]}', "Missing 'inputs' or 'insta"),
    ("both forms", b'{"inputs": 1, "instances": [1]}', "expecting only one of"),
    ("null rows", b'{"instances": null}', "Expecting 'instances' to be an li"),
    ("a row alone", b'{"instances": 1}', "Expecting 'instances' to be an li"),
    ("rows by name", b'{"instances": {"z": 1}}', "Expecting 'instances' to be"),
    ("zero rows", b'{"instances": []}', "No values in 'instances' array"),
    ("of the first two", b'{"instances": 1, "instances": [[1, 2, 3]]}',
     "Expecting 'instances' to be an list"),
    ("a number for a name", b'{"signature_name": 1, "instances": [1]}',
     "'signature_name' key must be a string value"),
    ("unknown signature", b'{"signature_name": "no", "instances": [1]}',
     'Serving signature name: "no" not found'),
    ("signature of no UTF-8", b'{"signature_name": "\xff", "instances": [1]}',
     "not found in signature def"),
    ("long signature", b'{"signature_name": "' + b"a" * 10**5 + b'"}',
     "not found in signature def"),
    ("init op", b'{"signature_name": "__saved_model_init_op", "inputs": 1}',
     "Failed to get input map for signature: __saved_model_init_op"),
    ("ragged", b'{"instances": [[1, 2, 3], [1, 2]]}', "Expecting tensor size"),
    ("ragged inside", b'{"instances": [[[1, 2], [3]]]}', "unexpected size: 1"),
    ("list for value", b'{"instances": [[1, [2], 3]]}', "unexpected level"),
    ("value for list", b'{"instances": [[[1], 2]]}', "at incorrect level"),
    ("too narrow", b'{"instances": [[1, 2]]}', "Matrix size-incompatible"),
    ("no matrix", b'{"instances": [1, 2, 3]}', "In[0] is not a matrix"),
    ("strings", b'{"instances": [["1", "2", "3"]]}', "is not of expected type"),
    ("nulls", b'{"instances": [[null, 2, 3]]}', "is not of expected type"),
    ("bools", b'{"instances": [[true, 2, 3]]}', "is not of expected type"),
    ("b64 for floats", b'{"instances": [{"b64": "AAAA"}]}', "is not of expec"),
    ("another input", b'{"instances": [{"x": [1, 2, 3]}]}',
     "does not have named input: x"),
    ("an input too many", b'{"instances": [{"z": [1, 2, 3], "x": 1}]}',
     "does not have named input: x"),
    ("objects then lists", b'{"instances": [{"z": [1, 2, 3]}, [1, 2, 3]]}',
     "Expecting object but got list at item 1"),
    ("lists then objects", b'{"instances": [[1, 2, 3], {"z": [1, 2, 3]}]}',
     "Expecting value/list but got object at item 1"),
    ("empty object", b'{"instances": [{}]}', "keys must be equal to: z"),
    ("name of no UTF-8", b'{"instances": [{"\xff": 1}]}', "does not have name"),
    ("missing column", b'{"inputs": {"x": 1}}', "Missing named input: z"),
    ("null column", b'{"inputs": {"z": null}}', "is not of expected type"),
    ("many columns", b'{"inputs": {%s"x": 1}}' % (b'"x":1,' * 10**5),
     "Missing named input: z"),
)  # fmt: skip

# (name, signature of `types`, its rows in JSON, words); a 400 each.
TYPES: tuple[tuple[str, str, str, str], ...] = (
    ("a fraction", "int32", "[1.0]", "is not of expected type: int32"),
    ("beyond int32", "int32", "[2147483648]", "is not of expected type: int3"),
    ("beyond int64", "int64", "[9223372036854775808]", "not of expected type"),
    ("below uint32", "uint32", "[-1]", "is not of expected type: uint32"),
    ("beyond uint64", "uint64", "[18446744073709551616]", "not of expected"),
    ("an exponent", "int64", "[1e3]", "is not of expected type: int64"),
    ("NaN", "int64", "[NaN]", "Type: Number is not of expected type: int64"),
    ("1 for true", "bool", "[1]", "is not of expected type: bool"),
    ("half", "half", "[1]", "Conversion of JSON Value: 1 to type: half"),
    ("uint16", "uint16", "[1]", "Conversion of JSON Value: 1 to type: uint16"),
    ("number", "string", "[1]", "is not of expected type: string"),
    ("b64 number", "string", '[{"b64": 1}]', "does not have named input: b64"),
    ("b64 star", "string", '[{"b64": "****"}]', "Unable to base64 decode"),
    ("b64 short", "string", '[{"b64": "A"}]', "Unable to base64 decode"),
    ("b64 pads", "string", '[{"b64": "AA==="}]', "Unable to base64 decode"),
    ("b64 pad first", "string", '[{"b64": "=AAA"}]', "Unable to base64 deco"),
    ("b64 for URLs", "string", '[{"b64": "-_-_"}]', "Unable to base64 decod"),
    ("b64 fullwidth", "string", '[{"b64": "\uff21AAA"}]', "Unable to base64"),
    ("b64 twice", "string", '[{"b64": "AA", "b64": "AA"}]', "does not have n"),
    ("two", "two", "[1]", "instances is a plain list, but expecting list of"),
    ("one of two", "two", '[{"a": 1}]', "keys must be equal to: a,b"),
)


def cases() -> Iterator[Case]:
    """Yields them all."""
    decoder, types = b"/v1/models/decoder:predict", b"/v1/models/types:predict"
    for name, body, words in TEXTS:
        yield Case(name, "POST", decoder, b"", body, 400, words)
    for name, signature, rows, words in TYPES:
        name_in_json = json.dumps(signature)
        text = f'{{"signature_name": {name_in_json}, "instances": {rows}}}'
        body = text.encode()
        yield Case(name, "POST", types, b"", body, 400, words)
    packed = {
        "no gzip": GOOD,
        "gzip cut short": PACKED[:-9],
        "two gzip members": PACKED * 2,
        "gzip with a wrong sum": PACKED[:-8] + b"\0" * 4 + PACKED[-4:],
        "gzip that tells less": PACKED[:-4] + b"\1\0\0\0",
        "gzip that tells 4 GB": PACKED[:-4] + b"\xff" * 4,
        "gzip of gzip": gzip.compress(PACKED),
        "gzip bomb": gzip.compress(b"[" * 110_000_000, 1),
    }
    for name, body in packed.items():
        words = "Invalid value. at" if name == "gzip of gzip" else EMPTY
        yield Case(name, "POST", decoder, GZIP, body, 400, words)
    large = b" " * (1 << 21) + GOOD
    words = "the request has more than 2097152 bytes; send fewer rows at once"
    yield Case("a large body", "POST", decoder, b"", large, 413, words)
    encoded = b'{"instances": "%s"}' % base64.b64encode(bytes(99))
    yield Case("b64 alone", "POST", decoder, b"", encoded, 400, "to be an list")
