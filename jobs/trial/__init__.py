"""Programs outside production: sample lab, demo, evaluation, benchmarks."""
