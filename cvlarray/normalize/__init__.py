"""What a whole scene or date is off by: corrections of its bands, offsets of its residuals."""

from cvlarray.normalize.dates import MIN_PIXELS, MIN_SHARE, date_statistics

__all__ = ["MIN_PIXELS", "MIN_SHARE", "date_statistics"]
