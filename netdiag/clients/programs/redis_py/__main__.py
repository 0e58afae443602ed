"""The consumer as a script: `PATH/TO/python netdiag/clients/redis_py`, with the contract's
environment.
"""

import importlib
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)  # where this folder is a package
sys.exit(importlib.import_module("redis_py.driving").main())
