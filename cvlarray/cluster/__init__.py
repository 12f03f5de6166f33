"""Where work units run: threads, Dask workers here, or a cluster elsewhere."""

from cvlarray.cluster.executor import Executor, Future, InlineExecutor, Task
from cvlarray.cluster.start import executor

__all__ = ["Executor", "Future", "InlineExecutor", "Task", "executor"]
