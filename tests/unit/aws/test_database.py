"""What a function says to the database before its first statement."""

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from psycopg.rows import scalar_row

from venue.errors import Unavailable
from venue_aws.database import Database
from venue_aws.logins import DatabaseLogin


def first_words(server: socket.socket) -> dict[str, str]:
    """What the next client asks for when it connects, without TLS; then it is left alone."""
    client, _ = server.accept()
    with client:
        words = client.recv(8)
        if words[4:] == (80877103).to_bytes(4):  # it would like TLS
            client.sendall(b"N")
            words = client.recv(8)
        rest = client.recv(int.from_bytes(words[:4]) - 8)
    texts = rest.rstrip(b"\0").decode().split("\0")
    return dict(zip(texts[::2], texts[1::2], strict=True))


def test_it_connects_without_options_which_rds_proxy_refuses() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
        asked = pool.submit(first_words, server)
        login = DatabaseLogin(
            host="127.0.0.1", port=server.getsockname()[1], username="ann", password="x", dbname="venue"
        )
        with pytest.raises(Unavailable):
            Database(lambda: login).fetch("SELECT 1", {}, row=scalar_row)
        told = asked.result()
    assert (told["user"], told["database"]) == ("ann", "venue")
    assert "options" not in told
