"""Names of the figures that a probe gives, as plain data: nothing here loads torch."""

from __future__ import annotations

FIGURES = (
    "srank",
    "srank_4096",
    "stable_rank",
    "effective_rank",
    "feature_norm",
    "gradient_norm",
    "gradient_norm_log",
    "parameter_norm",
    "zero_activations",
    "dormant_ratio",
    "dormant_ratio_02",
    "dormant_ratio_after",
    "dormant_ratio_after_02",
    "density",
    "mask_churn",
)
"""Of every module (docs/diagnostics.md)."""
OF_SAMPLES = ("gradient_cosine", "gradient_cosine_size", "gradient_conflicts")
"""Of modules whose losses are sums over samples: critic and actor."""
