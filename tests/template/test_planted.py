"""The template tests can fail: each meets the mistake that it is there for, planted in the model, and does not pass."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest

from tests.template import test_alarms, test_edge, test_functions, test_network, test_rest, test_stores, test_stream
from tests.template.model import deployed, template
from tests.template.resolver import Template

STAGE: Final = "prod"
GONE: Final = object()
_ORDERS: Final = ("RestApi", "Properties", "Body", "paths", "/orders")


@contextmanager
def planted(of: Template, path: tuple[str | int, ...], value: object) -> Iterator[None]:
    """Put `value` at a place in the model, or take out what is there, for as long as the context lasts."""
    *way, last = path
    node: Any = of["Resources"]
    for step in way:
        node = node[step]
    before = node.get(last, GONE) if isinstance(node, dict) else node[last]
    _put(node, last, value)
    try:
        yield
    finally:
        _put(node, last, before)


def _put(node: Any, key: str | int, value: object) -> None:
    if value is GONE:
        del node[key]
    else:
        node[key] = value


MISTAKES: list[tuple[Callable[[str], None], tuple[str | int, ...], object]] = [
    (test_rest.test_every_route_but_the_public_market_data_asks_cognito, (*_ORDERS, "get", "security"), []),
    (test_rest.test_the_routes_are_those_that_are_known, (*_ORDERS, "put"), {}),
    (test_rest.test_every_body_has_a_model_that_is_enforced, (*_ORDERS, "post", "parameters"), []),
    (test_rest.test_every_route_is_throttled, ("RestApiprodStage", "Properties", "MethodSettings"), []),
    (
        test_stream.test_a_socket_opens_through_the_authorizer_only,
        ("ConnectRoute", "Properties", "AuthorizationType"),
        "NONE",
    ),
    (test_stream.test_every_socket_route_is_throttled, ("StreamStage", "Properties", "DefaultRouteSettings"), {}),
    (
        test_stream.test_only_this_api_may_call_the_functions_behind_it,
        ("ConnectPermission", "Properties", "Principal"),
        "*",
    ),
    (
        test_functions.test_every_function_has_a_role_of_its_own,
        ("PlaceOrder", "Properties", "Role"),
        {"Fn::GetAtt": ["DepositRole", "Arn"]},
    ),
    (
        test_functions.test_every_function_logs_to_a_group_that_forgets,
        ("PlaceOrder", "Properties", "LoggingConfig", "LogGroup"),
        {"Ref": "DepositLog"},
    ),
    (
        test_functions.test_a_stream_source_cannot_be_jammed_by_one_record,
        ("BroadcastTape", "Properties", "BisectBatchOnFunctionError"),
        False,
    ),
    (
        test_functions.test_a_stream_source_cannot_be_jammed_by_one_record,
        ("BroadcastTape", "Properties", "DestinationConfig", "OnFailure", "Destination"),
        GONE,
    ),
    (
        test_functions.test_a_queue_source_reports_which_messages_failed,
        ("SettleEvents", "Properties", "FunctionResponseTypes"),
        [],
    ),
    (
        test_functions.test_every_failure_is_heard_or_kept,
        ("ReconcileEventInvokeConfig", "Properties", "DestinationConfig", "OnFailure"),
        GONE,
    ),
    (
        test_functions.test_what_the_functions_are_told_is_encrypted_with_our_key,
        ("PlaceOrder", "Properties", "KmsKeyArn"),
        "x",
    ),
    (
        test_stores.test_every_queue_gives_up_somewhere_or_is_that_place,
        ("OrderQueue", "Properties", "RedrivePolicy"),
        GONE,
    ),
    (
        test_stores.test_someone_is_told_when_messages_wait,
        ("OrdersWait", "Properties", "MetricName"),
        "NumberOfMessagesSent",
    ),
    (test_stores.test_someone_is_told_when_a_message_is_set_aside, ("OrdersSetAside", "Properties", "Dimensions"), []),
    (
        test_stores.test_queues_and_streams_are_encrypted_with_our_key,
        ("EventsQueue", "Properties", "KmsMasterKeyId"),
        GONE,
    ),
    (test_stores.test_queues_and_streams_are_encrypted_with_our_key, ("Tape", "Properties", "StreamEncryption"), GONE),
    (
        test_stores.test_tables_are_encrypted_restorable_and_on_demand,
        ("Wallets", "Properties", "PointInTimeRecoverySpecification"),
        GONE,
    ),
    (
        test_stores.test_tables_are_encrypted_restorable_and_on_demand,
        ("Holds", "Properties", "SSESpecification"),
        {"SSEEnabled": True},
    ),
    (
        test_stores.test_buckets_are_closed_and_encrypted_with_our_key,
        ("TapeBucket", "Properties", "PublicAccessBlockConfiguration"),
        {},
    ),
    (test_stores.test_buckets_are_closed_and_encrypted_with_our_key, ("WebBucketPolicy",), {"Type": "AWS::SNS::Topic"}),
    (test_stores.test_keys_rotate, ("TapeKey", "Properties", "EnableKeyRotation"), False),
    (test_stores.test_what_holds_money_or_history_outlives_its_stack, ("Wallets", "DeletionPolicy"), "Delete"),
    (
        test_alarms.test_someone_is_told_when_a_function_fails_or_is_held_back,
        ("PlaceOrderFails",),
        {"Type": "AWS::SNS::Topic"},
    ),
    (
        test_alarms.test_every_alarm_names_its_runbook_and_the_runbook_names_it,
        ("RestFails", "Properties", "AlarmDescription"),
        "?",
    ),
    (
        test_alarms.test_every_alarm_is_told_when_it_comes_and_when_it_goes,
        ("RestFails", "Properties", "AlarmActions"),
        [],
    ),
    (
        test_alarms.test_an_alarm_on_a_metric_of_ours_listens_to_one_that_is_sent,
        ("OrdersPend", "Properties", "MetricName"),
        "Nothing",
    ),
    (
        test_edge.test_every_route_gets_through_and_only_public_ones_are_kept_for_a_second,
        ("Distribution", "Properties", "DistributionConfig", "CacheBehaviors", 3, "CachePolicyId"),
        {"Ref": "ForASecond"},
    ),
    (
        test_edge.test_a_firewall_stands_before_the_edge_and_one_before_the_api,
        ("WebAclAssociation",),
        {"Type": "AWS::SNS::Topic"},
    ),
]

_STATEMENT: Final = ("PlaceOrderRole", "Properties", "Policies", 0, "PolicyDocument", "Statement", 0)
_EGRESS: Final = ("FunctionsSecurityGroup", "Properties", "SecurityGroupEgress", 0)
_STORE: Final = ("Database", "Properties")
# In the templates as they were written.
WRITTEN: list[tuple[Callable[[], None], str, tuple[str | int, ...], object]] = [
    (
        test_stores.test_aurora_has_three_zones_backups_encryption_and_tls,
        "infra/data.yaml",
        (*_STORE, "StorageEncrypted"),
        False,
    ),
    (
        test_stores.test_aurora_has_three_zones_backups_encryption_and_tls,
        "infra/data.yaml",
        (*_STORE, "BackupRetentionPeriod"),
        0,
    ),
    (
        test_stores.test_redis_fails_over_by_itself_and_asks_for_tls_and_a_password,
        "infra/data.yaml",
        ("RedisMatcher", "Properties", "AuthenticationMode"),
        {"Type": "password", "Passwords": ["hunter2"]},
    ),
    (test_network.test_there_is_no_way_out, "infra/network.yaml", ("Way",), {"Type": "AWS::EC2::NatGateway"}),
    (
        test_network.test_all_that_is_called_from_inside_has_an_endpoint,
        "infra/network.yaml",
        ("SqsEndpoint", "Properties", "PolicyDocument"),
        GONE,
    ),
]


@pytest.mark.parametrize(("test", "path", "value"), MISTAKES)
def test_a_mistake_does_not_pass(test: Callable[[str], None], path: tuple[str | int, ...], value: object) -> None:
    test(STAGE)
    with planted(deployed(STAGE), path, value), pytest.raises((AssertionError, KeyError, ValueError)):
        test(STAGE)
    test(STAGE)


@pytest.mark.parametrize(("test", "name", "path", "value"), WRITTEN)
def test_a_mistake_in_a_template_does_not_pass(
    test: Callable[[], None], name: str, path: tuple[str | int, ...], value: object
) -> None:
    test()
    with planted(template(name), path, value), pytest.raises((AssertionError, KeyError)):
        test()
    test()


@pytest.mark.parametrize("change", [{"Action": "dynamodb:*"}, {"Action": "dynamodb:PutItem", "Resource": "*"}])
def test_a_role_that_may_too_much_does_not_pass(change: dict[str, str]) -> None:
    statement = {"Effect": "Allow", "Resource": {"Fn::GetAtt": ["Holds", "Arn"]}, **change}
    with planted(deployed("prod"), _STATEMENT, statement), pytest.raises(AssertionError):
        test_functions.test_no_role_has_a_wildcard_action("template.yaml")


def test_a_door_that_is_open_to_the_world_does_not_pass() -> None:
    door = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIp": "0.0.0.0/0"}
    with planted(template("infra/network.yaml"), _EGRESS, door), pytest.raises(AssertionError):
        test_network.test_no_security_group_names_an_address("infra/network.yaml")
