"""python -m tests.template.audit: run every tool, take off what suppressions.toml excuses, write .local/template.json.

Ends with 1 where a finding is left, where an excuse excuses nothing any more, or where there are too many of them.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.template.audit.suppressions import MOST, Suppression, excused, read
from tests.template.audit.tools import TOOLS_BY_NAME, Verdict, prepare
from tests.template.model import ROOT

REPORT = ROOT / ".local" / "template.json"


def main() -> int:
    """Give the exit code."""
    work = prepare(ROOT / ".local" / "template")
    suppressions = read(Path(__file__).with_name("suppressions.toml"))
    with ThreadPoolExecutor(2) as pool:
        verdicts = dict(zip(TOOLS_BY_NAME, pool.map(lambda tool: tool(work), TOOLS_BY_NAME.values()), strict=True))
    report, failed = {}, len(suppressions) > MOST
    for name, verdict in verdicts.items():
        own = [each for each in suppressions if each.tool == name]
        left, used = excused(verdict.findings, own)
        report[name] = _summary(verdict, errors=len(left), used=used)
        print(f"{name:<9} {verdict.checks:5} checks  {len(left):3} errors  {len(used):2} suppressions", flush=True)
        for finding in left:
            print(f"  {finding.check} {finding.resource}: {finding.message}")
        for each in own:
            if each not in used:
                print(f"  the suppression of {each.check} excuses nothing any more: take it out")
                failed = True
        failed = failed or bool(left)
    print(f"{len(suppressions)} suppressions in all, {MOST} at most")
    REPORT.write_text(json.dumps(report, indent=2) + "\n")
    return int(failed)


def _summary(verdict: Verdict, *, errors: int, used: dict[Suppression, int]) -> dict[str, object]:
    return {
        "version": verdict.version,
        "checks": verdict.checks,
        "errors": errors,
        "warnings": verdict.warnings,
        "suppressed": len(used),
        "findings_suppressed": sum(used.values()),
        "suppressions": {each.check: {"reason": each.reason, "owner": each.owner} for each in used},
    }


if __name__ == "__main__":
    sys.exit(main())
