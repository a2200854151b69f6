"""A hardware token in software: SoftHSM2, with its tokens in a folder of one test module."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")
PIN = "4711"
P256, P384 = "secp256r1", "secp384r1"


@contextmanager
def softhsm(folder: Path) -> Iterator[None]:
    """SoftHSM2 with an empty store in ``folder``, for this process and those it starts."""
    import pkcs11

    (folder / "tokens").mkdir(parents=True)
    configuration = folder / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\n")
    before = {name: os.environ.get(name) for name in ("SOFTHSM2_CONF", "PYKCS11LIB")}
    os.environ["SOFTHSM2_CONF"] = str(configuration)
    try:
        pkcs11.lib(str(MODULE)).reinitialize()
        yield
    finally:
        pkcs11.unload(str(MODULE))
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def add_token(label: str, **keys: str) -> None:
    """A token with key pairs on the named curves: ``add_token("gate", k2=P256)`` makes key 2."""
    import pkcs11
    from pkcs11.util.ec import encode_named_curve_parameters

    subprocess.run(
        ["softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", "31415926", "--pin", PIN],
        check=True,
        capture_output=True,
    )
    library = pkcs11.lib(str(MODULE))
    library.reinitialize()  # SoftHSM shows a new token in a slot of its own after the next start
    with library.get_token(token_label=label).open(user_pin=PIN, rw=True) as session:
        for name, curve in keys.items():
            parameters = session.create_domain_parameters(
                pkcs11.KeyType.EC,
                {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters(curve)},
                local=True,
            )
            parameters.generate_keypair(store=True, label=name, id=bytes([int(name[1:])]))
