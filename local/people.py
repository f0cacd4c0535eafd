"""The people of a local venue: eight traders and an operator in Cognito, and the tokens they sign in with."""

import base64
import time
from typing import TYPE_CHECKING

import boto3
import msgspec

from local.servers import CREDENTIALS, REGION, aws_url
from local.state import State

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient

TRADERS = tuple(f"trader-{number}" for number in range(1, 9))
OPERATOR = "operator"


class _Claims(msgspec.Struct, frozen=True):
    sub: str
    exp: int


class People:
    """Signs people in, and keeps each token until a minute before it expires."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._tokens: dict[str, tuple[str, _Claims]] = {}
        self._pool: CognitoIdentityProviderClient = boto3.client(
            "cognito-idp",
            endpoint_url=aws_url(state),
            region_name=REGION,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )

    def enrol(self) -> None:
        """Create whoever is missing, in their group."""
        for name in (*TRADERS, OPERATOR):
            try:
                self.add(name, group="operators" if name == OPERATOR else "traders")
            except self._pool.exceptions.UsernameExistsException:
                continue

    def add(self, name: str, *, group: str) -> None:
        """Create one more person. Raises UsernameExistsException for a known one."""
        pool, password = self._state.outputs["UserPoolId"], self._state.user_password
        self._pool.admin_create_user(
            UserPoolId=pool, Username=name, TemporaryPassword=password, MessageAction="SUPPRESS"
        )
        self._pool.admin_set_user_password(UserPoolId=pool, Username=name, Password=password, Permanent=True)
        self._pool.admin_add_user_to_group(UserPoolId=pool, Username=name, GroupName=group)

    def token(self, name: str) -> str:
        """Give a valid id token (a JWT) of this person."""
        return self._signed_in(name)[0]

    def account(self, name: str) -> str:
        """Give the account of this person: the `sub` of their tokens."""
        return self._signed_in(name)[1].sub

    def _signed_in(self, name: str) -> tuple[str, _Claims]:
        known = self._tokens.get(name)
        if known and known[1].exp > time.time() + 60:
            return known
        answer = self._pool.admin_initiate_auth(
            UserPoolId=self._state.outputs["UserPoolId"],
            ClientId=self._state.outputs["UserPoolClientId"],
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": name, "PASSWORD": self._state.user_password},
        )
        token = answer["AuthenticationResult"]["IdToken"]
        payload = token.split(".")[1]
        claims = msgspec.json.decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)), type=_Claims)
        self._tokens[name] = (token, claims)
        return token, claims
