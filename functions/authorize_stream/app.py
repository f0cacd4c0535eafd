"""$connect's authorizer: whose token is this? None at all is fine: public channels need no account."""

from collections.abc import Callable
from typing import Any

from venue_aws import wiring
from venue_aws.observed import Event, Handler, Line, observed
from venue_aws.tokens import Identity, TokenInvalid, Verifier, token_in


def build(verifier: Callable[[], Verifier]) -> Handler[dict[str, Any]]:
    """Make the handler, which answers the policy that API Gateway asks for."""

    @observed
    def authorize(event: Event, line: Line) -> dict[str, Any]:
        identity: Identity | None = None
        try:
            token = token_in(event.get("headers") or {}, event.get("queryStringParameters") or {})
            if token is not None:
                identity = verifier().identify(token)
        except TokenInvalid as error:
            line.count("StreamTokenRefused")
            line.tell(allowed=False, reason=str(error))
            return _policy("Deny", event["methodArn"], None)
        line.tell(allowed=True, anonymous=identity is None)
        return _policy("Allow", event["methodArn"], identity)

    return authorize


def _policy(effect: str, arn: str, identity: Identity | None) -> dict[str, Any]:
    return {
        "principalId": identity.account if identity else "anonymous",
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Action": "execute-api:Invoke", "Effect": effect, "Resource": arn}],
        },
        "context": _context(identity) if identity else {},
    }


def _context(identity: Identity) -> dict[str, str]:
    # Values are text by API Gateway's rule; no account at all is what makes a session anonymous.
    return {
        "account": identity.account,
        "groups": ",".join(identity.groups),
        "expires_at": str(identity.expires_at),
    }


handler = build(wiring.early(wiring.verifier))
