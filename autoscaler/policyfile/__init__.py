"""Policy files: YAML into the frozen policies of the core, strictly, with every error at once and its place."""

from autoscaler.policyfile.checks import CloudKind
from autoscaler.policyfile.loading import build, load, parse, schema
from autoscaler.policyfile.warnings import warnings

__all__ = ["CloudKind", "build", "load", "parse", "schema", "warnings"]
