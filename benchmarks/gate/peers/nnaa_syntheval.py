"""What does SynthEval's NNAA say of two tables, and at what cost? Runs in SynthEval's own environment.

    python nnaa_syntheval.py TABLES.npz gower|euclid

TABLES.npz holds ``real`` and ``fake``, arrays of equal width, and ``categorical``, which columns are level codes. The
distances are SynthEval's two, the first being its default. No preprocessing: both tools get the same numbers.
"""

import json
import resource
import sys
import time

import numpy as np
import pandas as pd
from syntheval.metrics.privacy.metric_nn_adversarial_accuracy import (  # type: ignore[import-not-found]
    NearestNeighbourAdversarialAccuracy,
)

path, distance = sys.argv[1:]
arrays = np.load(path)
names = [f"c{place}" for place in range(arrays["real"].shape[1])]
real, fake = (pd.DataFrame(arrays[side], columns=names) for side in ("real", "fake"))
categorical = [name for name, chosen in zip(names, arrays["categorical"], strict=True) if chosen]
numeric = [name for name in names if name not in categorical]
metric = NearestNeighbourAdversarialAccuracy(
    real, fake, cat_cols=categorical, num_cols=numeric, nn_dist=distance, do_preprocessing=False, verbose=False
)
wall, processor = time.perf_counter(), time.process_time()
value = metric.evaluate()["avg"]
cost = {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - processor}
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
sys.stdout.write(json.dumps({"value": value, **cost, "peak_mb": peak}) + "\n")
