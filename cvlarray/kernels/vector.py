"""Two steps that loops over NumPy arrays can't tell the compiler, written in LLVM's language.

Both are its portable operations: any processor runs them, with whatever vectors it has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

LANES = 16
"""Floats of a row that are added at once."""

_I32, _I64 = (ir.IntType(bits) for bits in (32, 64))
_BYTE_POINTER = ir.IntType(8).as_pointer()
_LANES = ir.VectorType(ir.FloatType(), LANES)
_READ, _INTO_L2, _DATA = _I32(0), _I32(2), _I32(1)

Code = tuple[Any, Callable[..., Any]]
"""A signature, and what writes the machine code for it."""


def _add_rows(_: Any, sums: Any, _target: Any, rows: Any, starts: Any, offsets: Any) -> Code:
    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def row(position: int, number: Any) -> Any:
            array_type, array = signature.args[position], arguments[position]
            data = context.make_array(array_type)(context, builder, array).data
            return builder.gep(data, [builder.mul(number, _I64(LANES))])

        def lanes(start: Any) -> Any:
            return builder.bitcast(start, _LANES.as_pointer())

        target = lanes(row(0, arguments[1]))
        total = builder.load(target, align=4)
        for i in range(len(signature.args[4])):
            start = builder.bitcast(row(2, builder.extract_value(arguments[3], i)), _BYTE_POINTER)
            offset = builder.zext(builder.extract_value(arguments[4], i), _I64)
            total = builder.fadd(total, builder.load(lanes(builder.gep(start, [offset])), align=4))
        builder.store(total, target, align=4)
        return context.get_dummy_value()

    return types.void(sums, types.uint64, rows, starts, offsets), write


def _prefetch(_: Any, array: Any, _row: Any, _column: Any) -> Code:
    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        found = context.make_array(signature.args[0])(context, builder, arguments[0])
        n_columns = builder.extract_value(found.shape, 1)
        offset = builder.add(builder.mul(arguments[1], n_columns), arguments[2])
        address = builder.bitcast(builder.gep(found.data, [offset]), _BYTE_POINTER)
        kind = ir.FunctionType(ir.VoidType(), [address.type, _I32, _I32, _I32])
        fetch = builder.module.declare_intrinsic("llvm.prefetch", [address.type], kind)
        builder.call(fetch, [address, _READ, _INTO_L2, _DATA])
        return context.get_dummy_value()

    return types.void(array, types.uint64, types.uint64), write


add_rows: Callable[..., None] = intrinsic(_add_rows)
"""``add_rows(sums, target, rows, starts, offsets)`` adds rows of one array to a row of another.

Both arrays are float32 (row, `LANES`) and contiguous. Each row to add lies a tuple's ``offsets``
[bytes], int16 and not negative, behind row ``starts``, uint64: what differs from pixel to pixel is
then an address without further arithmetic. A loop over the lanes would do the same at a fifth of
the speed: the compiler can't see that the arrays don't overlap, and goes lane by lane.
"""

prefetch: Callable[..., None] = intrinsic(_prefetch)
"""``prefetch(array, row, column)`` asks for an element to be near once it is needed.

The array is contiguous, the element may lie beyond its end. Rows of a cube lie megabytes apart, too
far for the processor to foresee that the next block needs them all.
"""
