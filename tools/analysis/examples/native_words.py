"""Name the words by which languages write values: constants, lists, sets, maps, options."""

from typing import Final


def _split(words: str) -> frozenset[str]:
    return frozenset(words.split())


WORDS: Final[dict[str, object]] = {
    **dict.fromkeys(("true", "True", "TRUE", "verdadero"), True),
    **dict.fromkeys(("false", "False", "FALSE", "falso"), False),
    **dict.fromkeys(("null", "nil", "nullptr", "NULL", "None", "std::nullopt", "nullopt")),
    **dict.fromkeys(("INT_MAX", "i32::MAX", "Integer.MAX_VALUE", "int.MaxValue"), 2**31 - 1),
    **dict.fromkeys(("INT_MIN", "i32::MIN", "Integer.MIN_VALUE", "int.MinValue"), -(2**31)),
    **dict.fromkeys(("LLONG_MAX", "LONG_MAX", "i64::MAX", "Long.MAX_VALUE"), 2**63 - 1),
    **dict.fromkeys(("LLONG_MIN", "LONG_MIN", "i64::MIN", "Long.MIN_VALUE"), -(2**63)),
    **dict.fromkeys(("math.MaxInt32", "Int.MAX_VALUE", "std::i32::MAX"), 2**31 - 1),
    **dict.fromkeys(("math.MinInt32", "Int.MIN_VALUE", "std::i32::MIN"), -(2**31)),
    **dict.fromkeys(("math.MaxInt64", "PHP_INT_MAX", "long.MaxValue", "math.MaxInt"), 2**63 - 1),
    **dict.fromkeys(("math.MinInt64", "PHP_INT_MIN", "long.MinValue", "math.MinInt"), -(2**63)),
    **{"u32::MAX": 2**32 - 1, "u64::MAX": 2**64 - 1, "u8::MAX": 255, "i8::MAX": 127},
    **dict.fromkeys(("NaN", "NAN", "Double.NaN", "f64::NAN", "double.NaN"), float("nan")),
}
LISTS: Final = frozenset(
    {"List.of", "Arrays.asList", "listOf", "mutableListOf", "arrayListOf", "arrayOf", "array"}
    | {"intArrayOf", "longArrayOf", "doubleArrayOf", "booleanArrayOf", "charArrayOf", "Vec::from"}
    | {"VecDeque::from", "ImmutableList.of"}
)
BAGS: Final = frozenset(
    {"Set.of", "setOf", "mutableSetOf", "hashSetOf", "HashSet::from", "BTreeSet::from", "Set.new"}
)
MAPS: Final = frozenset(
    {
        "mapOf",
        "mutableMapOf",
        "emptyMap",
        "HashMap::new",
        "BTreeMap::new",
        "hashMapOf",
        "HashMap::from",
        "BTreeMap::from",
    }
)
SAME: Final = frozenset(
    {"String::from", "String", "string", "Integer.valueOf", "Box::new", "to_string"}
)
TUPLES: Final = frozenset(
    {"make_pair", "make_tuple", "pair", "Pair", "Tuple.Create", "Map.entry", "tie"}
)
SOME: Final = {"Some": "some", "Ok": "ok", "Err": "err", "Optional.of": "some", "optional": "some"}
NAMES_OF_TYPES: Final = _split(
    "new int long short char bool boolean byte float double string void std unsigned signed const"
    " struct vec mut i8 i16 i32 i64 i128 u8 u16 u32 u64 usize isize f32 f64 map rune error listOf"
    " java strings sort math let not and or in to as is decimal object ref out"
)
