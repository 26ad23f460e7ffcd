"""The conformance suite: does a method keep the contract, and if not, what is there to change?

subject -> bench (starts it on small requests) -> checks -> report
"""

from __future__ import annotations
