"""The report stands alone: one file, well-formed, without a network, in the page's own colours."""

import re
from html.parser import HTMLParser

import msgspec
import pytest

from local.demo import report
from local.demo.audit import Check
from local.demo.figures import Run
from local.demo.flow import read
from tests.unit.demo.sample import sample

VOID = {"meta", "path", "use", "br", "line", "rect"}
RIGHT = Check("Every wallet is the sum of its ledger", passed=True, finding="19 wallets")
WRONG = Check("Trades by tape are the trades in Aurora", passed=False, finding="1 missing, first: trade <3>")


class Outline(HTMLParser):
    """Keeps the open elements, all attributes and the text; complains about wrong nesting."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def outline(run: Run) -> Outline:
    parsed = Outline()
    parsed.feed(report.page(run))
    parsed.close()
    return parsed


@pytest.fixture(scope="module")
def run() -> Run:
    return sample(read(limit=400), checks=[RIGHT])


def test_the_page_is_well_formed_and_asks_no_network(run: Run) -> None:
    parsed = outline(run)
    assert parsed.open == []
    reaching = [
        value for name, value in parsed.attributes if name in {"src", "href", "xlink:href"} and value[:1] != "#"
    ]
    assert reaching == []
    assert not re.search(r"@import|url\(\s*['\"]?(?!#)", report.page(run))


def test_ids_are_unique_and_every_reference_has_its_target(run: Run) -> None:
    text = report.page(run)
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:xlink:href="|url\()#([^")]+)', text)) <= set(ids)


def test_plots_wear_the_colours_of_the_page(run: Run) -> None:
    body = report.page(run).partition("<body>")[2]
    assert re.findall(r"#[0-9a-f]{6}\b", body) == []
    assert "var(--bid)" in body
    assert "DejaVu" not in body


def test_every_order_and_trade_figure_is_told(run: Run) -> None:
    text = outline(run).text
    assert f"{run.orders_acknowledged:,}" in text
    assert f"{len(run.prints)} trades" in text
    assert "Cancels refused: order done" in text
    assert "All 1 checks passed" in text


def test_a_failed_check_is_the_first_thing_one_reads(run: Run) -> None:
    parsed = outline(msgspec.structs.replace(run, checks=[RIGHT, WRONG]))
    assert "1 of 2 checks failed" in parsed.text
    assert "something does not add up" in parsed.text
    assert "first: trade <3>" in parsed.text
    assert ("class", "bad") in parsed.attributes


def test_a_run_without_a_single_trade_is_still_a_page(run: Run) -> None:
    empty = msgspec.structs.replace(
        run, prints=[], changes=[], calls=[], owner_delays=[], public_delays=[], bids={}, asks={}, trades_journal=0
    )
    assert outline(empty).open == []
