"""Reports what a job sees while it runs, to the Odin that runs it.

>>> import pyodin
>>> odin = pyodin.Odin(config="fetch.yml")
>>> url = "https://en.wikipedia.org/wiki/Special:Random"
>>> odin.watch("url fetched", url)
>>> odin.condition("check if url is empty", url == "")
False
"""

from ._link import END_WITHIN, QUEUE_BYTES_MAX, QUEUE_REPORTS_MAX, Delivery
from ._odin import Odin, OdinHandler
from ._span import Span
from ._value import NAME_BYTES_MAX, VALUE_BYTES_MAX

__all__ = [
    "END_WITHIN",
    "NAME_BYTES_MAX",
    "QUEUE_BYTES_MAX",
    "QUEUE_REPORTS_MAX",
    "VALUE_BYTES_MAX",
    "Delivery",
    "Odin",
    "OdinHandler",
    "Span",
]
__version__ = "0.3.0"
