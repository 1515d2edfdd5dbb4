"""An error's name as a label and a log field: from a closed set, whatever was raised."""

import re

from autoscaler import errors


def of(error: BaseException) -> str:
    """`not_found` for NotFound, and so on for the tree of errors; `internal` for what was not raised on purpose."""
    if not isinstance(error, errors.AutoscalerError):
        return "internal"
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(error).__name__).lower()
