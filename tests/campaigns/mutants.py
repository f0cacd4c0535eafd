"""Every mutant of the files that are named, one a line, as JSON: what cosmic-ray's operators make of them.

    .local/tools/mutation/bin/python tests/campaigns/mutants.py [--n 100] [--seed 0] matcher/core/book.py ...

It runs where cosmic-ray is (local/tools/mutation.in) and knows nothing of the venue. The order is drawn by the seed.
"""

import argparse
import json
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

# Left out, because a core full of such mutants would look better tested than it is: `|` between types; and, of the many
# stand-ins for an arithmetic operator, those with bits, powers and remainders, which die wherever the others do. And
# because nobody could tell: `is` for `==` between numbers and words, which is the same for those that are small.
LEFT_OUT = re.compile(
    "core/ReplaceBinaryOperator_BitOr_.*"
    "|core/ReplaceBinaryOperator_.*_(RShift|LShift|BitXor|BitAnd|BitOr|Pow|Mod)"
    "|core/ReplaceComparisonOperator_(Eq|NotEq|Lt|LtE|Gt|GtE)_(Is|IsNot)"
    "|core/ReplaceComparisonOperator_Is_(NotEq|LtE|Lt|GtE|Gt|Eq)"
)
# The `*` before parameters that are named, which cosmic-ray takes for a multiplication.
NAMED_ONLY = re.compile(r"(^|[ (])\*,")


def operators() -> Iterator[tuple[str, Any]]:
    """(name, operator) of all that need no arguments and are not left out."""
    for name in sorted(operator_names()):
        made = get_operator(name)
        if not LEFT_OUT.fullmatch(name) and not made.arguments():
            yield name, made()


def places(files: list[str]) -> Iterator[tuple[str, str, int]]:
    """(file, operator, which occurrence) of every mutant."""
    for file in files:
        nodes = list(ast_nodes(get_ast(Path(file).read_text())))
        for name, operator in operators():
            count = sum(len(list(operator.mutation_positions(node))) for node in nodes)
            yield from ((file, name, occurrence) for occurrence in range(count))


def mutant(file: str, name: str, occurrence: int) -> dict[str, str | int] | None:
    """The mutant in full: which line, what it was, what it becomes, the file's new text. None where it is none."""
    source = Path(file).read_text()
    changed = mutate_code(source, get_operator(name)(), occurrence)
    old, new = source.splitlines(), (changed or source).splitlines()
    if old == new:
        return None
    first = next(index for index, pair in enumerate(zip(old, new, strict=False)) if pair[0] != pair[1])
    after = next(index for index, pair in enumerate(zip(old[::-1], new[::-1], strict=False)) if pair[0] != pair[1])
    was, becomes = (" ".join(map(str.strip, lines[first : len(lines) - after])).strip() for lines in (old, new))
    if name.startswith("core/ReplaceBinaryOperator_Mul_") and NAMED_ONLY.search(was):
        return None
    return {"file": file, "line": first + 1, "was": was, "becomes": becomes, "operator": name, "text": changed}


def main() -> None:
    """Print them."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--n", type=int, help="so many of them, drawn by the seed")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    everywhere = list(places(arguments.files))
    Random(arguments.seed).shuffle(everywhere)
    made = filter(None, (mutant(*place) for place in everywhere))
    for one in islice(made, arguments.n):
        print(json.dumps(one), flush=True)


if __name__ == "__main__":
    main()
