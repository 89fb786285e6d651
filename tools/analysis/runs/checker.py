"""Hold the judge that is fed to monty's worker, and compares there by value.

The worker gets it before the learner's code, which may redefine any built-in name.
`runs.values.is_same` decides the same for values that come out of the other sandboxes.
"""

CHECKER = """
def show_NAME(value, R=repr, N=len):
    try:
        text = R(value)
    except Exception:
        return None
    return text if N(text) <= 400 else text[:397] + '...'

def plain_NAME(value, most, T=type, N=len, STREAMS=(STREAM_NAMES)):
    name = T(value).__name__
    if not (name.endswith('iterator') or name.startswith('dict_') or name in STREAMS):
        return value
    items = []
    for item in value:
        items.append(item)
        if N(items) > most:
            break
    return items

def same_NAME(got, want, T=type, B=bool, I=int, F=float, C=complex, L=list, U=tuple, D=dict,
              S=set, Z=frozenset, G=range, A=abs, M=max, N=len, X=isinstance, INF=float('inf')):
    kind = T(want)
    if kind in (B, I, F, C):
        if T(got) not in (B, I, F, C):
            return T(got).__name__ == 'Decimal' and got == want
        if got == want or (T(got) in (B, I) and kind in (B, I)):
            return got == want
        if got != got and want != want:
            return True
        if A(got) == INF or A(want) == INF:
            return False
        try:
            return A(got - want) <= M(1e-9 * M(A(got), A(want)), 1e-12)
        except OverflowError:
            return False
    if want is None:
        return got is None
    if kind in (L, U, G):
        items = plain_NAME(got, N(want))
        if T(got) is not T(items) or T(items) is G or (kind is G and T(items) is L):
            pass
        elif T(items) is not kind and not (kind is U and X(items, U)):
            return False
        if N(items) != N(want):
            return False
        position = 0
        for item in want:
            if not same_NAME(items[position], item):
                return False
            position += 1
        return True
    if kind is D:
        if not X(got, D) or N(got) != N(want):
            return False
        for key in want:
            if key not in got or not same_NAME(got[key], want[key]):
                return False
        return True
    if kind in (S, Z):
        if T(got).__name__.startswith('dict_'):
            got = S(got)
        return T(got) in (S, Z) and got == want
    return T(got) is kind and got == want

def check_NAME(got, want, truth, B=bool, L=list, U=tuple, T=type, N=len):
    name = T(got).__name__
    if truth:
        equal = B(got) == want
    else:
        if T(want) in (L, U):
            got = plain_NAME(got, N(want))
            if T(got) is L and T(want) is U and name != 'list':
                got = U(got)
        equal = same_NAME(got, want)
    return (equal, got, name, T(want).__name__)
""".replace(
    "STREAM_NAMES",
    "'accumulate', 'chain', 'combinations', 'combinations_with_replacement', 'compress', 'count', "
    "'cycle', 'dropwhile', 'filterfalse', 'islice', 'pairwise', 'permutations', 'product', "
    "'repeat', 'starmap', 'takewhile', 'zip_longest', 'batched', 'groupby'",
)
