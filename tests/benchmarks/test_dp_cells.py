"""Does a peer on our public cells see nothing but cells, and do its cells come back as values of the schema?"""

from __future__ import annotations

import json
import shlex
import sys

import numpy as np
import pandas as pd
from click.testing import CliRunner

from benchmarks.dp.evaluate import read
from benchmarks.dp.fit_cells import main

SCHEMA = {
    "target": "ill",
    "columns": {
        "sex": {"levels": ["f", "m"], "nullable": True},
        "dose": {"min": 0.0, "max": 100.0, "decimals": 0, "nullable": True},
        "ill": {"levels": ["no", "yes"], "nullable": False},
    },
}
ECHO = """
import json, shutil, sys
given = dict(zip(sys.argv[1:], sys.argv[2:]))
shutil.copy(given["--train"], given["--out"])
json.dump({"settings": {"no_binning": "--no-binning" in sys.argv}}, open(given["--report"], "w"))
"""


def test_a_peer_that_returns_its_input_returns_every_value_within_its_cell(tmp_path):
    rng = np.random.default_rng(3)
    rows = 2000
    table = pd.DataFrame(
        {
            "sex": rng.choice(np.array(["f", "m", None], dtype=object), rows),
            "dose": np.where(rng.random(rows) < 0.1, np.nan, rng.integers(0, 101, rows)),
            "ill": rng.choice(["no", "yes"], rows),
        }
    )
    table.to_csv(tmp_path / "train.csv", index=False)
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    (tmp_path / "echo.py").write_text(ECHO)
    peer = shlex.join([sys.executable, str(tmp_path / "echo.py")])
    options = {"peer": peer, "epsilon": 3, "rows": rows, "seed": 0}
    options |= {"train": tmp_path / "train.csv", "schema": tmp_path / "schema.json"}
    options |= {"out": tmp_path / "synthetic.csv", "report": tmp_path / "fit.json"}
    arguments = [str(part) for name, value in options.items() for part in (f"--{name}", value)]
    ended = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert ended.exit_code == 0
    drawn = read(tmp_path / "synthetic.csv", SCHEMA)
    assert drawn["ill"].tolist() == table["ill"].tolist()
    assert drawn["sex"].isna().tolist() == table["sex"].isna().tolist()
    assert drawn["dose"].isna().tolist() == table["dose"].isna().tolist()
    told = json.loads((tmp_path / "fit.json").read_text())["settings"]
    widest = np.ceil(99 / (told["cells_per_number"] - 2))
    assert (drawn["dose"] - table["dose"]).abs().max() <= widest
    seen = pd.read_csv(tmp_path / "cells.csv")
    assert seen.notna().to_numpy().all()
    assert told["no_binning"]
