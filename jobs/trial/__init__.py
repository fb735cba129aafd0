"""What is not production: sample lab, demo, evaluation, benchmarks."""
