"""The catalogue file: which markets this venue means to have."""

import tomllib
from pathlib import Path

import msgspec

from venue.money import parse_units
from venue.products import Asset, Product


class BadCatalogue(Exception):
    """The file cannot be read as a catalogue; the message says where."""


class _AssetRow(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    scale: int


class _ProductRow(msgspec.Struct, forbid_unknown_fields=True):
    base: str
    quote: str
    quote_increment: str
    base_increment: str
    size_min: str | None = None
    size_max: str | None = None
    price_max: str | None = None
    maker_bps: int = 0
    taker_bps: int = 0
    orders_max: int = 0
    shard: int | None = None


class _File(msgspec.Struct, forbid_unknown_fields=True):
    assets: dict[str, _AssetRow]
    products: dict[str, _ProductRow]


def load(path: Path, *, shards: int) -> list[Product]:
    """Give all products, each of one of so many shards: its own, or dealt in turn. Raises BadCatalogue.

    What is listed already stays where it is, whatever is dealt here (matcher.shell.tenure).
    """
    try:
        file = msgspec.convert(tomllib.loads(path.read_text()), _File)
        dealt: list[Product] = []
        for turn, (name, row) in enumerate(file.products.items()):
            shard = turn % shards if row.shard is None else row.shard
            if not 0 <= shard < shards:
                raise ValueError(f"{name} belongs to shard {shard}; this venue has {shards}, numbered from 0")
            dealt.append(_product(file, name, row, shard=shard))
    except (OSError, tomllib.TOMLDecodeError, msgspec.ValidationError, ValueError, KeyError) as error:
        raise BadCatalogue(f"{path}: {error!r}") from error
    return dealt


def _product(file: _File, name: str, row: _ProductRow, *, shard: int) -> Product:
    base = Asset(id=row.base, name=file.assets[row.base].name, scale=file.assets[row.base].scale)
    quote = Asset(id=row.quote, name=file.assets[row.quote].name, scale=file.assets[row.quote].scale)
    tick, lot = parse_units(row.quote_increment, quote.scale), parse_units(row.base_increment, base.scale)
    plain = Product(
        id=name,
        base=base,
        quote=quote,
        tick_units=tick,
        lot_units=lot,
        maker_bps=row.maker_bps,
        taker_bps=row.taker_bps,
        orders_max=row.orders_max,
        shard=shard,
    )
    bounds: dict[str, int] = {}
    if row.size_min is not None:
        bounds["size_min"] = plain.parse_size(row.size_min)
    if row.size_max is not None:
        bounds["size_max"] = plain.parse_size(row.size_max)
    if row.price_max is not None:
        bounds["price_max"] = plain.parse_price(row.price_max)
    return msgspec.structs.replace(plain, **bounds)
