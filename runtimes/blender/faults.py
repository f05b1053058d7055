"""What can go wrong, as one code and one sentence, and the checks of untrusted requests that raise it.

Owns: `Fault`, the limits on requests, the typed readers of request keys. Knows nothing of Blender.
"""

import json
import os

REQUEST_BYTES = 1 << 20
RESULT_BYTES = 1 << 20
JSON_DEPTH = 16
SIZE_MIN, SIZE_MAX = 4, 16384
PIXELS_MAX = 1 << 28
SAMPLES_MAX = 65536
FRAME_MAX = 1_048_574
SEED_MAX = (1 << 31) - 1
CROPS_MAX = 64
PATH_CHARS = 4096
TILE = 64


class Fault(Exception):
    """A refusal or failure that its reader can act on: a code for programs, one sentence for people."""

    def __init__(self, code, sentence):
        super().__init__(sentence)
        self.code = code
        self.sentence = one_line(sentence)

    def line(self):
        return f"tatau_error: {self.code} {self.sentence}"


def one_line(text, limit=400):
    """`text` without line breaks and control characters, cut at `limit` characters."""
    clean = "".join(c if c.isprintable() else " " for c in str(text))
    clean = " ".join(clean.split())
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def parse_json(data):
    """An untrusted JSON object from bytes; refuses more than `REQUEST_BYTES` bytes and `JSON_DEPTH` levels."""
    if len(data) > REQUEST_BYTES:
        raise Fault("bad_request", f"The request is larger than {REQUEST_BYTES} bytes; send a smaller one.")
    depth = deepest = 0
    in_text = escaped = False
    for byte in data:
        if in_text:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                in_text = False
        elif byte == 0x22:
            in_text = True
        elif byte in (0x5B, 0x7B):
            depth += 1
            deepest = max(deepest, depth)
        elif byte in (0x5D, 0x7D):
            depth -= 1
    if deepest > JSON_DEPTH:
        raise Fault("bad_request", f"The request nests deeper than {JSON_DEPTH} levels; flatten it.")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise Fault("bad_request", "The request is not JSON; send one JSON object.") from None
    if not isinstance(value, dict):
        raise Fault("bad_request", "The request is not a JSON object; send one.")
    return value


def integer(request, key, low, high, default=None):
    """The whole number `request[key]` within `low..=high`; `default` where the key is absent and a default is given."""
    value = request.get(key, default)
    if value is None and default is None and key not in request:
        raise Fault("bad_request", f"The request lacks `{key}`; give a whole number.")
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise Fault("bad_request", f"`{key}` must be a whole number from {low} to {high}.")
    return value


def optional_integer(request, key, low, high):
    """Like `integer`, but `None` where the key is absent or null."""
    return None if request.get(key) is None else integer(request, key, low, high)


def path(request, key):
    """The absolute path `request[key]`; refuses empty and overlong ones and control characters."""
    return check_path(request.get(key), key)


def check_path(value, key):
    if not isinstance(value, str) or not value or len(value) > PATH_CHARS or not value.isprintable():
        raise Fault("bad_request", f"`{key}` must be the path of a file or folder.")
    return os.path.abspath(value)


def paths(request, key, most):
    """The list of paths `request[key]`, at most `most`."""
    value = request.get(key)
    if not isinstance(value, list) or len(value) > most:
        raise Fault("bad_request", f"`{key}` must be a list of at most {most} paths.")
    return [check_path(item, key) for item in value]


def rectangle(item, width, height):
    """A crop `(x, y, w, h)` in pixels from the top left that lies wholly inside `width` × `height`."""
    if not isinstance(item, dict):
        raise Fault("bad_request", "A crop must be an object with x, y, w, h.")
    x = integer(item, "x", 0, width - 1)
    y = integer(item, "y", 0, height - 1)
    return x, y, integer(item, "w", 1, width - x), integer(item, "h", 1, height - y)


def rectangles(request, width, height, least=1):
    """The crops of a request, `least..=CROPS_MAX` of them."""
    items = request.get("crops")
    if not isinstance(items, list) or not least <= len(items) <= CROPS_MAX:
        raise Fault("bad_request", f"`crops` must be a list of {least} to {CROPS_MAX} rectangles.")
    return [rectangle(item, width, height) for item in items]


def image_size(request):
    """`(width, height)` of a request, both required, within the limits."""
    width = integer(request, "width", SIZE_MIN, SIZE_MAX)
    height = integer(request, "height", SIZE_MIN, SIZE_MAX)
    if width * height > PIXELS_MAX:
        raise Fault("bad_request", f"An image of more than {PIXELS_MAX} pixels is refused; render it smaller.")
    return width, height


def out_folder(request):
    """The folder `request["out"]`, made where it does not exist."""
    folder = path(request, "out")
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise Fault("bad_request", f"The output folder cannot be made: {error.strerror}.") from None
    return folder


def write_result(folder, result):
    """Writes `result` canonically (sorted keys) as `folder/result.json`; refuses more than `RESULT_BYTES`."""
    data = json.dumps(result, sort_keys=True, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode()
    if len(data) > RESULT_BYTES:
        raise Fault("internal", "The result is larger than 1 MiB; ask for less in one task.")
    write_bytes(os.path.join(folder, "result.json"), data)


def write_bytes(file, data):
    """Writes `data` whole: first beside `file`, then renamed over it."""
    part = file + ".part"
    try:
        with open(part, "wb") as stream:
            stream.write(data)
        os.replace(part, file)
    except OSError as error:
        raise Fault("out_of_space", f"A result could not be written: {error.strerror}.") from None


def bad_file(sentence):
    return Fault("bad_file", sentence)


def read_bounded(file, limit):
    """The bytes of `file`, refused where it is no regular file or longer than `limit` bytes."""
    try:
        with open(file, "rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            if size > limit:
                raise bad_file(f"The file {os.path.basename(file)} has {size} bytes, more than the {limit} allowed.")
            return stream.read(limit + 1)
    except OSError as error:
        raise bad_file(f"The file {os.path.basename(file)} cannot be read: {error.strerror}.") from None
