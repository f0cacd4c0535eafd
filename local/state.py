"""What a local venue remembers between commands: ports, processes, secrets, and what the deployed stack answered."""

import secrets
from pathlib import Path

import msgspec

from local.processes import Running, free_port


class Ports(msgspec.Struct):
    """Where its servers listen on 127.0.0.1."""

    aws: int
    postgres: int
    redis: int
    matcher: int


def _password() -> str:
    return secrets.token_urlsafe(18) + "-aA1"


class State(msgspec.Struct):
    """One venue's memory, kept in <folder>/venue.json for its owner's eyes only."""

    ports: Ports
    processes: dict[str, Running] = {}
    database_password: str = msgspec.field(default_factory=_password)
    redis_password: str = msgspec.field(default_factory=_password)
    user_password: str = msgspec.field(default_factory=_password)
    deployed: str = ""  # digest of the template, the code and the parameters that the stack was made from
    outputs: dict[str, str] = {}  # of the stack
    secret_arns: dict[str, str] = {}
    # The emulator keeps its stores in memory and writes them when it is stopped: unless it was, they are lost.
    stores_written: bool = True
    # From when that is seen until wallets and tape are made again from the journal.
    recovering: bool = False


_CODEC = msgspec.json.Decoder(State)


def load(folder: Path) -> State | None:
    """Give the state of the venue in this folder, None where there is none (or one of another time)."""
    try:
        return _CODEC.decode((folder / "venue.json").read_bytes())
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def save(folder: Path, state: State) -> None:
    """Write the state whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    new = folder / "venue.json.new"
    new.touch(mode=0o600)
    new.write_bytes(msgspec.json.format(msgspec.json.encode(state)))
    new.replace(folder / "venue.json")


def choose_ports(last: Ports | None) -> Ports:
    """Free ports, the same as last time where they still are: the deployed stack has them in it."""
    chosen: dict[str, int] = {}
    for name in Ports.__struct_fields__:
        port = free_port(getattr(last, name) if last else None)
        while port in chosen.values():
            port = free_port()
        chosen[name] = port
    return Ports(**chosen)
