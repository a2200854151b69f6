"""A regulator verifies with the standard library and ``cryptography`` alone (I-2)."""

from __future__ import annotations

import ast
import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import audit.record
from audit.record.keys import write_public_key
from audit.record.trust import TrustedKey, TrustFile

PACKAGE = Path(audit.record.__file__).parent
ALLOWED = {"cryptography", "cffi", "_cffi_backend", "audit"}
# of extras: imported where a token or a timestamp authority is used, inside a function, and never for all else
OPTIONAL = {"hsm.py": {"pkcs11", "securesystemslib"}, "timestamp.py": {"rfc3161_client"}}

# every import but these is refused, then the verifier runs, then the process says what it has loaded
SCRIPT = """
import sys
site, allowed, arguments = sys.argv[1], set(sys.argv[2].split(",")), sys.argv[3:]

class Refuse:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in allowed and top not in sys.stdlib_module_names:
            raise ImportError("not in a small install: " + top)

sys.path.insert(0, site)
sys.meta_path.insert(0, Refuse())
try:
    import numpy
except ImportError:
    pass
else:
    sys.exit("the test blocks nothing")
from audit.record.verify import main
code = main(arguments)
loaded = {name.partition(".")[0] for name, module in sys.modules.items() if getattr(module, "__spec__", None)}
print(",".join(sorted(loaded - set(sys.stdlib_module_names))))
sys.exit(code)
"""


@pytest.fixture
def small_install(tmp_path: Path) -> Path:
    """A folder with this package, ``cryptography``, what that needs, and nothing else."""
    site = tmp_path / "site"
    (site / "audit").mkdir(parents=True)
    (site / "audit" / "__init__.py").write_bytes((PACKAGE.parent / "__init__.py").read_bytes())
    (site / "audit" / "record").symlink_to(PACKAGE)
    for name in ("cryptography", "cffi", "_cffi_backend"):
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        found = Path(spec.origin)
        found = found.parent if found.name == "__init__.py" else found
        (site / found.name).symlink_to(found)
    return site


def test_the_verifier_runs_on_a_small_install(
    small_install: Path,
    make_bundle: Callable[..., Path],
    gate_key: Ed25519PrivateKey,
    log_key: Ed25519PrivateKey,
    other_key: Ed25519PrivateKey,
    tmp_path: Path,
) -> None:
    folder = make_bundle()
    write_public_key(tmp_path / "gate.pub", gate_key.public_key())
    # -I -S: no site-packages, no environment variables, no current folder
    command = [sys.executable, "-I", "-S", "-W", "error", "-c", SCRIPT, str(small_install), ",".join(sorted(ALLOWED))]
    start, end = datetime(2021, 1, 1, tzinfo=UTC), datetime(2032, 1, 1, tzinfo=UTC)
    gate = TrustedKey("gate", "the gate", gate_key.public_key(), start, end)
    log = TrustedKey("log", "the log", log_key.public_key(), start, end)
    (tmp_path / "trust").write_bytes(TrustFile(1, start, (gate, log)).sign(other_key))
    write_public_key(tmp_path / "root.pub", other_key.public_key())
    with_trust = [*command, str(folder), "--trust", str(tmp_path / "trust"), "--root", str(tmp_path / "root.pub")]
    command += [str(folder), "--key", str(tmp_path / "gate.pub")]
    for each in (command, with_trust):
        good = subprocess.run(each, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert (good.returncode, good.stderr[:8]) == (0, "VERIFIED")
        assert set(good.stdout.strip().split(",")) <= ALLOWED | {"__main__"}
    (folder / "data.csv").write_bytes(b"other")
    bad = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert bad.returncode == 1
    assert json.loads(bad.stdout.rpartition("}")[0] + "}")["verified"] is False


def test_no_module_of_the_package_imports_anything_but_the_standard_library_and_cryptography() -> None:
    modules = sorted(PACKAGE.glob("*.py"))
    assert len(modules) > 10
    for module in modules:
        tree = ast.parse(module.read_text("utf-8"))
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        late = {node for function in functions for node in ast.walk(function)}
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0
                assert node.module is not None
                names = [node.module]
                assert node.module.partition(".")[0] != "audit" or node.module.startswith("audit.record")
            for name in names:
                top = name.partition(".")[0]
                extra = OPTIONAL.get(module.name, set()) if node in late else set()
                assert top in sys.stdlib_module_names | {"cryptography", "audit"} | extra, f"{module.name}: {name}"


@pytest.mark.parametrize("package", [PACKAGE, PACKAGE.parent])
def test_the_packages_above_the_verifier_import_nothing(package: Path) -> None:
    body = ast.parse((package / "__init__.py").read_text("utf-8")).body
    assert all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in body)
