"""Errors a caller may want to catch. All others are ValueError or TypeError."""

from __future__ import annotations


class CvlarrayError(Exception):
    """Base of what cvlarray raises for a cause outside its code; the message is one line."""


class ConfigError(CvlarrayError):
    """A run's YAML is wrong: names the file, the key, what was expected and what arrived."""


class SearchError(CvlarrayError):
    """A catalogue can't be read, or holds nothing for the region and dates asked for."""


class ItemError(CvlarrayError):
    """A STAC Item doesn't fit its sensor profile; the message says why."""


class AccessError(CvlarrayError):
    """Keys that a source or a store asks for are missing or refused; the message says which."""


class ReadError(CvlarrayError):
    """An asset can't be read: missing, truncated, no raster, or another shape than promised."""


class StoreError(CvlarrayError):
    """A Zarr store refuses: a misaligned region, another run's store, or a failed write."""


class WorkspaceBusyError(CvlarrayError):
    """Another process runs on this workspace."""


class ClusterError(CvlarrayError):
    """Workers can't be had, or can't be used: no scheduler answers, or a machine differs."""


class UnitError(CvlarrayError):
    """A work unit failed for a reason nobody foresaw; its cause is attached."""


class CheckpointError(CvlarrayError):
    """A checkpoint isn't what its card says, or may not be read; the message says why."""


class InferenceError(CvlarrayError):
    """A model can't go on: numbers that are not finite, or no memory for a single window."""


class MissingExtraError(CvlarrayError, ImportError):
    """An optional package isn't installed; the message names the extra that brings it."""


class PackageError(CvlarrayError):
    """An alert's package can't be read, or what seals one can't be used."""


class DeliveryError(CvlarrayError):
    """Alerts can't be delivered as configured: a secret is missing, an outbox can't be used."""
