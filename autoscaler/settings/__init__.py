"""The process's own settings: environment over secret files over YAML, read once, into one frozen value."""

from autoscaler.settings.changes import ChangedKey, between, needs_restart, obeyed
from autoscaler.settings.keys import CredentialKind, DdmApi, Dialect, LogFormat, LogLevel
from autoscaler.settings.loading import Outline, load, outline, schema
from autoscaler.settings.values import (
    CloudSettings,
    EndpointSettings,
    PolicyPattern,
    Settings,
    SourceSettings,
    WebhookSettings,
    find_policy_files,
)
from autoscaler.settings.webhook_secret import key as webhook_key

__all__ = [
    "ChangedKey",
    "CloudSettings",
    "CredentialKind",
    "DdmApi",
    "Dialect",
    "EndpointSettings",
    "LogFormat",
    "LogLevel",
    "Outline",
    "PolicyPattern",
    "Settings",
    "SourceSettings",
    "WebhookSettings",
    "between",
    "find_policy_files",
    "load",
    "needs_restart",
    "obeyed",
    "outline",
    "schema",
    "webhook_key",
]
