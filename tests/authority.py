"""A timestamp authority of one's own: openssl ts behind a small local server."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from audit.record.timestamp import Authorities

P256, RSA = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256"), ("rsa:2048",)
CONFIGURATION = """
[req]
distinguished_name = name
[name]
[extensions_root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
[extensions_tsa]
extendedKeyUsage = critical, timeStamping
[extensions_plain]
extendedKeyUsage = serverAuth
[tsa]
default_tsa = authority
[authority]
serial = $ENV::FOLDER/serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ordering = yes
tsa_name = yes
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


class Authority:
    """A root, a timestamp authority under it, and one without the right to timestamp; ``reply`` answers a query.

    With ``between`` the root has issued another certificate that has issued the authority's; it is in each answer.
    """

    def __init__(self, folder: Path, common_name: str, *, key: tuple[str, ...] = P256, between: bool = False) -> None:
        self.folder = folder
        self.between = between
        folder.mkdir()
        (folder / "openssl.cnf").write_text(CONFIGURATION)
        self.openssl(
            "req", "-x509", "-subj", f"/CN={common_name} root", "-days", "30", "-extensions", "extensions_root",
            *_new("root", key), "-out", "root.pem",
        )  # fmt: skip
        issuer = "root"
        for kind in (*(["between"] if between else []), "tsa", "plain"):
            self.openssl("req", "-subj", f"/CN={common_name} {kind}", *_new(kind, key), "-out", f"{kind}.csr")
            self.openssl(
                "x509", "-req", "-in", f"{kind}.csr", "-CA", f"{issuer}.pem", "-CAkey", f"{issuer}.key",
                "-CAcreateserial", "-days", "20", "-extfile", "openssl.cnf",
                "-extensions", "extensions_root" if kind == "between" else f"extensions_{kind}", "-out", f"{kind}.pem",
            )  # fmt: skip
            issuer = "between" if between else "root"
        self.certificate = folder / "root.pem"
        self.authorities = Authorities.load(self.certificate)

    def reply(self, query: bytes) -> bytes:
        (self.folder / "query").write_bytes(query)
        self.openssl(
            "ts", "-reply", "-config", "openssl.cnf", "-queryfile", "query", "-signer", "tsa.pem", "-inkey", "tsa.key",
            "-out", "answer", *(["-chain", "between.pem"] if self.between else []),
        )  # fmt: skip
        return (self.folder / "answer").read_bytes()

    def openssl(self, *arguments: str) -> None:
        environment = {"FOLDER": str(self.folder), "PATH": "/usr/bin:/bin"}
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=self.folder, env=environment)


def _new(name: str, key: tuple[str, ...]) -> list[str]:
    return ["-newkey", *key, "-nodes", "-keyout", f"{name}.key", "-config", "openssl.cnf"]


@contextmanager
def serving(answer: Callable[[bytes], bytes], status: int = 200) -> Iterator[str]:
    """The address of a server that gives ``answer`` to what is posted."""

    class Responder(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.headers["Content-Type"] == "application/timestamp-query"
            content = answer(query)
            self.send_response(status)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Responder) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/tsr"
        finally:
            server.shutdown()
            thread.join()
