"""Memory that this process no longer needs."""

from __future__ import annotations

import gc


def release_memory() -> None:
    """Give freed memory back to the system, which the allocators of Arrow and of C would keep."""
    import pyarrow as pa

    gc.collect()
    pa.default_memory_pool().release_unused()
    # With this pool Arrow asks the C library to do the same.
    pa.system_memory_pool().release_unused()
