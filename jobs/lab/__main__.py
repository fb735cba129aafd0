"""Entry point of `python -m jobs.lab`."""

import sys

from jobs.lab import main

sys.exit(main())
