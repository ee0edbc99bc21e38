"""Great Expectations, imported so that it reports nothing to its makers.

The setting is read once, when the library is imported, so everybody here imports it from here.
"""

import os

os.environ["GX_ANALYTICS_ENABLED"] = "false"

import great_expectations as gx
import great_expectations.expectations as gxe

__all__ = ["gx", "gxe"]
