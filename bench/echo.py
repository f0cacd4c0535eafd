"""The least that the HTTP server can do: the same Starlette and uvicorn, answering a body of the same size."""

import sys

import uvloop
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from matcher.shell.server import http_server

# As long as the outcome of an order that rests in the book.
BODY = b'{"orders":[' + b"." * 390 + b'],"fills":[],"refused":null,"replayed":false,"more":false}'


class Echo:
    """Reads a request and answers BODY."""

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        while (await receive()).get("more_body"):
            pass
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(BODY)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": BODY})


def main() -> None:
    """Serve on the port that is the first argument."""
    app = Starlette(routes=[Route("/shards/{shard:int}/commands", Echo(), methods=["POST"]), Route("/ready", Echo())])
    server = http_server(app, host="127.0.0.1", port=int(sys.argv[1]))
    uvloop.run(server.serve())


if __name__ == "__main__":
    main()
