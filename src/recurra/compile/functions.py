"""The pointwise operations on vectors. Infinities have their exact limits; a NaN that goes in comes out.

exp(x) = 2^n e^r with n = round(x / log 2) and r = x - n log 2: adding 1.5 * 2^(mantissa bits) rounds, and leaves n in
the low bits, from where it is shifted into an exponent. e^r is its Taylor polynomial, whose error is below that of
the type's last bit. log takes the exponent off likewise, and sums the series of artanh.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from recurra.cells import _noise as noise
from recurra.compile.ir import Function


@dataclass(frozen=True)
class Format:
    """mantissa: bits. degree: of the polynomial of exp. log2_high: log 2 to the bits of the type, or fewer."""

    mantissa: int
    bias: int
    degree: int
    log2_high: float
    log_terms: int


FORMATS = {
    "float": Format(23, 127, 6, 0.69314718246459961, 5),
    "double": Format(52, 1023, 13, 0.693147180369123816490, 11),
}


def exp_of(f: Function, x: str, factor: float) -> str:
    """e^(factor x) where that is a normal number: infinite above, the smallest normal number below."""
    form, v = FORMATS[f.lanes.scalar], f.lanes
    log2 = math.log(2)
    ends = sorted(((1 - form.bias) * log2 / factor, ((form.bias + 1) * log2 + 0.05) / factor))
    # A little inside where the result must be normal, so that rounding does not lead outside.
    low, high = (ends[0] + 1e-4, ends[1]) if factor > 0 else (ends[0], ends[1] - 1e-4)
    x = _at_most(f, _at_least(f, x, v.all(low)), v.all(high))
    magic = v.all(1.5 * 2.0**form.mantissa)
    shifted = f.fma(x, v.all(factor / log2), magic)
    n = f.two("fsub", shifted, magic)
    r = f.fma(n, v.all(-form.log2_high / factor), x)
    if f.lanes.scalar == "double":
        r = f.fma(n, v.all((form.log2_high - log2) / factor), r)
    e = _series(f, r, factor)
    # n is in the low bits; what else is there is shifted out, but for what this constant takes off.
    bits = f.let(f"bitcast {v.vector} {shifted} to {v.integers}")
    high_bits = f.let(f"shl {v.integers} {bits}, {v.all_integers(form.mantissa)}")
    scale = f.let(f"add {v.integers} {high_bits}, {v.all_integers(form.bias << form.mantissa)}")
    return f.two("fmul", e, f.let(f"bitcast {v.integers} {scale} to {v.vector}"))


def _series(f: Function, r: str, factor: float) -> str:
    """e^(factor r) for a small r."""
    form, v = FORMATS[f.lanes.scalar], f.lanes
    e = v.all(factor**form.degree / math.factorial(form.degree))
    for k in range(form.degree - 1, -1, -1):
        e = f.fma(e, r, v.all(factor**k / math.factorial(k)))
    return e


def exp(f: Function, x: str) -> str:
    """exp to the ends of its range: the scale is applied in two halves, each a normal number."""
    form = FORMATS[f.lanes.scalar]
    log2 = math.log(2)
    x = _at_least(f, x, f.lanes.all(-(form.bias + form.mantissa + 2) * log2))
    x = _at_most(f, x, f.lanes.all((form.bias + 2) * log2))
    shifted, e = _reduced_exp(f, x)
    n, kind = _whole(f, shifted), f.lanes.integers
    half = f.let(f"ashr {kind} {n}, {f.lanes.all_integers(1)}")
    rest = f.let(f"sub {kind} {n}, {half}")
    return f.two("fmul", f.two("fmul", e, _power_of_two(f, half)), _power_of_two(f, rest))


def _reduced_exp(f: Function, x: str) -> tuple[str, str]:
    """(the number whose low bits are n, e^r)."""
    form, v = FORMATS[f.lanes.scalar], f.lanes
    magic = v.all(1.5 * 2.0**form.mantissa)
    shifted = f.fma(x, v.all(1 / math.log(2)), magic)
    n = f.two("fsub", shifted, magic)
    r = f.fma(n, v.all(-form.log2_high), x)
    r = f.fma(n, v.all(form.log2_high - math.log(2)), r)
    return shifted, _series(f, r, 1.0)


def _whole(f: Function, shifted: str) -> str:
    form, v = FORMATS[f.lanes.scalar], f.lanes
    bits = f.let(f"bitcast {v.vector} {shifted} to {v.integers}")
    magic_bits = ((form.bias + form.mantissa) << form.mantissa) | (1 << (form.mantissa - 1))
    return f.let(f"sub {v.integers} {bits}, {v.all_integers(magic_bits)}")


def _power_of_two(f: Function, n: str) -> str:
    form, v = FORMATS[f.lanes.scalar], f.lanes
    biased = f.let(f"add {v.integers} {n}, {v.all_integers(form.bias)}")
    bits = f.let(f"shl {v.integers} {biased}, {v.all_integers(form.mantissa)}")
    return f.let(f"bitcast {v.integers} {bits} to {v.vector}")


def _at_least(f: Function, x: str, low: str) -> str:
    return f.choose(f.compare("ogt", low, x), low, x)


def _at_most(f: Function, x: str, high: str) -> str:
    return f.choose(f.compare("olt", high, x), high, x)


def sigmoid(f: Function, x: str) -> str:
    one = f.lanes.all(1.0)
    return f.two("fdiv", one, f.two("fadd", one, exp_of(f, x, -1.0)))


def tanh(f: Function, x: str) -> str:
    """1 - 2 / (1 + e^2x), to the absolute error of the type's last bit at 1."""
    v = f.lanes
    return f.two("fsub", v.all(1.0), f.two("fdiv", v.all(2.0), f.two("fadd", exp_of(f, x, 2.0), v.all(1.0))))


def log(f: Function, x: str) -> str:
    """x = 2^n m with m in [sqrt(1/2), sqrt(2)); log m = 2 artanh((m - 1) / (m + 1))."""
    form, v = FORMATS[f.lanes.scalar], f.lanes
    # A number too small to have a leading one is brought up first.
    tiny = f.compare("olt", x, v.all(2.0 ** (1 - form.bias)))
    scaled = f.choose(tiny, f.two("fmul", x, v.all(2.0**form.mantissa)), x)
    bits = f.let(f"bitcast {v.vector} {scaled} to {v.integers}")
    root_bits = (form.bias << form.mantissa) - (1 << (form.mantissa - 1))
    above = f.let(f"sub {v.integers} {bits}, {v.all_integers(root_bits)}")
    n = f.let(f"ashr {v.integers} {above}, {v.all_integers(form.mantissa)}")
    taken = f.let(f"shl {v.integers} {n}, {v.all_integers(form.mantissa)}")
    rest = f.let(f"sub {v.integers} {bits}, {taken}")
    m = f.let(f"bitcast {v.integers} {rest} to {v.vector}")
    whole = f.let(f"sitofp {v.integers} {n} to {v.vector}")
    whole = f.two("fsub", whole, f.choose(tiny, v.all(float(form.mantissa)), v.all(0.0)))
    s = f.two("fdiv", f.two("fsub", m, v.all(1.0)), f.two("fadd", m, v.all(1.0)))
    square = f.two("fmul", s, s)
    series = v.all(2 / (2 * form.log_terms + 1))
    for k in range(form.log_terms - 1, -1, -1):
        series = f.fma(series, square, v.all(2 / (2 * k + 1)))
    result = f.fma(whole, v.all(math.log(2)), f.two("fmul", s, series))
    zero, infinity = v.all(0.0), v.all(math.inf)
    result = f.choose(f.compare("oeq", x, zero), v.all(-math.inf), result)
    result = f.choose(f.compare("oeq", x, infinity), infinity, result)
    negative_or_nan = f.compare("ult", x, zero)
    return f.choose(negative_or_nan, f.two("fdiv", f.two("fsub", x, x), f.two("fsub", x, x)), result)


def log1p(f: Function, x: str) -> str:
    """log(1 + x), to the last digits also for a small x: what 1 + x loses by rounding is made good (Kahan)."""
    v = f.lanes
    one = v.all(1.0)
    sum_ = f.two("fadd", one, x)
    added = f.two("fsub", sum_, one)
    nothing = f.compare("oeq", added, v.all(0.0))
    whole = f.two("fmul", log(f, sum_), f.two("fdiv", x, f.choose(nothing, one, added)))
    # An infinite x would be divided by itself.
    return f.choose(nothing, x, f.choose(f.compare("oeq", x, v.all(math.inf)), x, whole))


def _relu(f: Function, x: str) -> str:
    return _at_least(f, x, f.lanes.all(0.0))


def _sign(f: Function, x: str) -> str:
    v = f.lanes
    one = f.let(f"call {v.vector} @llvm.copysign.{v.suffix}({v.vector} {v.all(1.0)}, {v.vector} {x})")
    return f.choose(f.compare("one", x, v.all(0.0)), one, v.all(0.0))


def _maximum(f: Function, a: str, b: str) -> str:
    return _nan_of(f, a, b, f.choose(f.compare("ogt", a, b), a, b))


def _minimum(f: Function, a: str, b: str) -> str:
    return _nan_of(f, a, b, f.choose(f.compare("olt", a, b), a, b))


def _nan_of(f: Function, a: str, b: str, result: str) -> str:
    return f.choose(f.compare("uno", a, b), f.two("fadd", a, b), result)


def uniform(f: Function, key: str, step: str, unit: str) -> str:
    """Random numbers of a vector's units, the first of them ``unit``: as ``recurra.cells._noise`` has them."""
    v = f.lanes
    ints = f"<{v.count} x i32>"

    def all_of(number: int) -> str:
        return f"<{', '.join([f'i32 {number}'] * v.count)}>"

    def spread(scalar: str) -> str:
        first = f.let(f"insertelement {ints} poison, i32 {scalar}, i64 0")
        return f.let(f"shufflevector {ints} {first}, {ints} poison, <{v.count} x i32> zeroinitializer")

    def mixed(kind: str, x: str, number: Callable[[int], str]) -> str:
        for shift, factor in zip(noise.SHIFTS, noise.FACTORS, strict=False):
            x = f.let(f"xor {kind} {x}, {f.let(f'lshr {kind} {x}, {number(shift)}')}")
            x = f.let(f"mul {kind} {x}, {number(factor)}")
        return f.let(f"xor {kind} {x}, {f.let(f'lshr {kind} {x}, {number(noise.SHIFTS[-1])}')}")

    row = f.let(f"trunc i64 {f.add(key, f.mul(step, str(noise.STEP)))} to i32")
    row = spread(mixed("i32", row, str))
    units = f"<{', '.join(f'i32 {i}' for i in range(v.count))}>"
    units = f.let(f"add {ints} {spread(f.let(f'trunc i64 {unit} to i32'))}, {units}")
    x = f.let(f"xor {ints} {row}, {f.let(f'mul {ints} {units}, {all_of(noise.UNIT)}')}")
    x = f.let(f"lshr {ints} {mixed(ints, x, all_of)}, {all_of(32 - noise.BITS)}")
    return f.two("fmul", f.let(f"sitofp {ints} {x} to {v.vector}"), v.all(2.0**-noise.BITS))


def apply(f: Function, op: str, data: object, args: list[str]) -> str:
    """One operation of the graph."""
    if op == "clamp":
        assert isinstance(data, tuple)
        return _at_most(f, _at_least(f, args[0], f.lanes.all(data[0])), f.lanes.all(data[1]))
    if op in ("where_le", "where_lt"):
        return f.choose(f.compare("ole" if op == "where_le" else "olt", args[0], args[1]), args[2], args[3])
    if op == "clip_gradient":
        return args[0]
    return OPERATIONS[op](f, *args)


OPERATIONS: dict[str, Callable[..., str]] = {
    "add": lambda f, a, b: f.two("fadd", a, b),
    "sub": lambda f, a, b: f.two("fsub", a, b),
    "mul": lambda f, a, b: f.two("fmul", a, b),
    "div": lambda f, a, b: f.two("fdiv", a, b),
    "neg": lambda f, a: f.let(f"fneg {f.lanes.vector} {a}"),
    "abs": lambda f, a: f.intrinsic("fabs", a),
    "sqrt": lambda f, a: f.intrinsic("sqrt", a),
    "sign": _sign,
    "exp": exp,
    "log": log,
    "log1p": log1p,
    "sigmoid": sigmoid,
    "tanh": tanh,
    "relu": _relu,
    "maximum": _maximum,
    "minimum": _minimum,
}
