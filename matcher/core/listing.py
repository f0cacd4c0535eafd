"""Markets open, and their rules change."""

from matcher.core import reasons
from matcher.core.book import Book
from venue.commands import ListProduct
from venue.events import AnyEvent, ListingRefused, ProductListed
from venue.products import Product


def list_product(command: ListProduct, books: dict[str, Book], *, shard: int) -> list[AnyEvent]:
    """Open a market, or let the rules of an open one change: never those that its numbers are counted in."""
    product = command.product
    book = books.get(product.id)
    if product.shard != shard:
        return [ListingRefused(at=command.at, product_id=product.id, reason=reasons.WRONG_SHARD)]
    if book is None:
        books[product.id] = Book(product)
    elif book.product == product:
        return []
    elif _grid(book.product) != _grid(product):
        return [ListingRefused(at=command.at, product_id=product.id, reason=reasons.GRID_CHANGED)]
    else:
        book.rule(product)
    return [ProductListed(at=command.at, product=product)]


def _grid(product: Product) -> tuple[object, ...]:
    """What the numbers of a market's orders and trades are counted in."""
    base, quote = product.base, product.quote
    return base.id, base.scale, quote.id, quote.scale, product.tick_units, product.lot_units
