"""`python -m lodestar` is `lodestar`."""

import sys

from .cli import main

sys.exit(main())
