"""Where work units run: threads of this process, a local Dask cluster, or a scheduler elsewhere."""

from cvlarray.cluster.executor import Executor, Future, InlineExecutor
from cvlarray.cluster.start import executor

__all__ = ["Executor", "Future", "InlineExecutor", "executor"]
