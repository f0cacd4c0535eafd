"""The trial of a mutant finds the wrong wrong, the right right, and an end."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
# In a process of its own, because it forks, and lets pytest run in the child.
PROGRAM = """
import json
from tests.campaigns.trial import ROOT, Mutant, fates, warm
FILE = "layers/domain/venue/money.py"
TEXT = (ROOT / FILE).read_text()
ENDS = ["# a remark", "UNITS_MAX = 5", "raise RuntimeError", "while True: pass"]
warm()
mutants = (Mutant(file=FILE, line=0, was="", becomes=end, operator="", text=f"{TEXT}\\n{end}\\n") for end in ENDS)
print(json.dumps({mutant.becomes: fate for mutant, fate in fates(mutants, processes=2)}))
"""


def test_a_mutant_that_makes_a_difference_dies_and_one_that_makes_none_lives() -> None:
    answer = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(answer.stdout) == {
        "# a remark": "lives",
        "UNITS_MAX = 5": "differential",
        "raise RuntimeError": "import",
        "while True: pass": "time",
    }
