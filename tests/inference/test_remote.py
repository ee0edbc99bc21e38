from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tasks.inference import Predictor
from tasks.inference.release import MODEL
from tasks.stage.errors import BadInput

Objects = dict[str, bytes]


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Objects]:
    """The objects of an S3 server on this machine, by key; all it can is list and get."""
    objects: Objects = {}

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            where = urlsplit(self.path)
            if "list-type" in where.query:
                keys = "".join(f"<Contents><Key>{key}</Key></Contents>" for key in objects)
                self.answer(200, f"<ListBucketResult>{keys}</ListBucketResult>".encode())
            elif (key := where.path.removeprefix("/bucket/")) in objects:
                self.answer(200, objects[key])
            else:
                self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")

        do_HEAD = do_GET  # noqa: N815

        def answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings = {
        "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{server.server_port}",
        "AWS_ACCESS_KEY_ID": "tester",
        "AWS_SECRET_ACCESS_KEY": "tester",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    yield objects
    server.shutdown()


def put(objects: Objects, folder: Path) -> None:
    for path in folder.iterdir():
        objects[f"registry/mood/{path.name}"] = path.read_bytes()


def test_a_release_is_served_from_a_bucket(bucket: Objects, tiny_release: Path) -> None:
    put(bucket, tiny_release)
    texts = ["the film is dull", "a superb cast"]

    assert Predictor.load("s3://bucket/registry/mood")(texts) == Predictor.load(tiny_release)(texts)


def test_a_damaged_download_leaves_nothing(
    bucket: Objects, tiny_release: Path, tmp_path: Path
) -> None:
    put(bucket, tiny_release)
    bucket[f"registry/mood/{MODEL}"] += b"?"

    with pytest.raises(BadInput, match=r"model\.onnx is not the file that was released"):
        Predictor.load("s3://bucket/registry/mood")
    assert not list((tmp_path / "cache/nightshift/releases").iterdir())


def test_a_place_without_a_release_is_named(bucket: Objects) -> None:
    with pytest.raises(BadInput, match=r"s3://bucket/nowhere holds no release"):
        Predictor.load("s3://bucket/nowhere")
