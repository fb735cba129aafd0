"""Entry point of `python -m jobs.trial.lab`."""

import sys

from jobs.trial.lab import main

sys.exit(main())
