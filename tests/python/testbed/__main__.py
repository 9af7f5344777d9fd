"""The command line: `python -m testbed <command> …`. Answers are JSON on stdout, progress is on stderr."""

import sys

from .cli import main

sys.exit(main())
