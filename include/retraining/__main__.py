"""Runs the command line."""

import sys

from include.retraining.cli import main

sys.exit(main())
