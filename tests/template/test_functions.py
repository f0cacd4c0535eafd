"""The functions: each with a role of its own that names what it does, a log that ends, and sources that cannot jam."""

from collections.abc import Iterator
from typing import Any

import pytest

from functions.reconcile import app as reconcile
from local import events
from tests.template.model import (
    CLOUD_STAGES,
    NESTED,
    ROOT,
    STAGES,
    deployed,
    laid_flat,
    of_type,
    overrides,
    resolved,
    template,
)
from tests.template.resolver import references
from venue_aws import patience
from venue_aws.rollout import QUESTIONS

# Actions that know no resource.
WITHOUT_RESOURCE = {"ecr:GetAuthorizationToken"}
BORROWED = {"AWSLambdaBasicExecutionRole", "AWSLambdaVPCAccessExecutionRole", "AWSXrayWriteOnlyAccess"}
# Split batches would change the names of the objects that a retry is to overwrite.
NEVER_SPLIT = {"ArchiveTape"}
# Pushes to sockets and reads of Cognito's keys go over the internet, which the network has no way to.
# The canary comes from outside, as clients do; CodeDeploy has no way into the network.
OUTSIDE_THE_NETWORK = {"AuthorizeStream", "Broadcast", "Connect", "RecordTape", "Subscribe", "TryOrder", "TryVersion"}


def statements(of: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every statement of every role in a template, with the role's name."""
    for name, role in of_type(of, "AWS::IAM::Role").items():
        for policy in role.get("Policies", []):
            statement = policy["PolicyDocument"]["Statement"]
            for one in statement if isinstance(statement, list) else [statement]:
                yield name, one


@pytest.mark.parametrize("stage", STAGES)
def test_every_function_has_a_role_of_its_own(stage: str) -> None:
    functions = of_type(deployed(stage), "AWS::Lambda::Function")
    roles = [function["Role"]["Fn::GetAtt"][0] for function in functions.values()]
    assert len(functions) == len(list(ROOT.glob("functions/*/app.py")))
    assert len(set(roles)) == len(functions)
    assert set(roles) <= set(of_type(deployed(stage), "AWS::IAM::Role"))


@pytest.mark.parametrize("stage", STAGES)
def test_a_functions_role_borrows_nothing_from_aws_but_logs_traces_and_its_place_in_the_network(stage: str) -> None:
    for name, role in of_type(deployed(stage), "AWS::IAM::Role").items():
        if "lambda.amazonaws.com" not in str(role["AssumeRolePolicyDocument"]):
            continue
        borrowed = {str(arn).rpartition("/")[2].rstrip("'}") for arn in role.get("ManagedPolicyArns", [])}
        assert borrowed <= BORROWED, name


@pytest.mark.parametrize("path", ["template.yaml", *NESTED])
def test_no_role_has_a_wildcard_action(path: str) -> None:
    whole = deployed("prod") if path == "template.yaml" else template(path)
    for role, statement in statements(whole):
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        assert statement["Effect"] == "Allow", role
        assert not [action for action in actions if "*" in action], role
        if statement["Resource"] in ("*", ["*"]):
            assert set(actions) <= WITHOUT_RESOURCE, role


@pytest.mark.parametrize("stage", STAGES)
def test_every_function_logs_to_a_group_that_forgets(stage: str) -> None:
    groups = of_type(deployed(stage), "AWS::Logs::LogGroup")
    used = [f["LoggingConfig"]["LogGroup"]["Ref"] for f in of_type(deployed(stage), "AWS::Lambda::Function").values()]
    assert len(set(used)) == len(used)
    assert set(used) <= set(groups)


@pytest.mark.parametrize("path", ["template.yaml", *NESTED])
def test_every_log_group_has_retention_and_a_key(path: str) -> None:
    for name, group in of_type(template(path), "AWS::Logs::LogGroup").items():
        assert group.get("RetentionInDays"), name
        assert group.get("KmsKeyId"), name


@pytest.mark.parametrize("stage", STAGES)
def test_a_functions_code_and_handler_are_where_the_template_says(stage: str) -> None:
    whole = resolved(stage)
    assert whole["Globals"]["Function"]["Handler"] == "app.handler"
    folders = [f["CodeUri"].rstrip("/") for f in of_type(whole, "AWS::Serverless::Function").values()]
    assert len(set(folders)) == len(folders)
    assert [folder for folder in folders if not (ROOT / folder / "app.py").exists()] == []


@pytest.mark.parametrize("stage", STAGES)
def test_a_stream_source_cannot_be_jammed_by_one_record(stage: str) -> None:
    streams = {n: m for n, m in sources(stage).items() if "BatchSize" in m and "StartingPosition" in m}
    assert set(streams) == {"BroadcastTape", "ArchiveTape"}
    for name, mapping in streams.items():
        if name in NEVER_SPLIT:
            assert mapping["BisectBatchOnFunctionError"] is False
        else:
            assert mapping["BisectBatchOnFunctionError"] is True
            assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        retries, age_s = mapping["MaximumRetryAttempts"], mapping["MaximumRecordAgeInSeconds"]
        assert 0 <= retries <= 10 or 60 <= age_s <= 86_400, name
        assert mapping["DestinationConfig"]["OnFailure"]["Destination"] == {"Fn::GetAtt": ["TapeFailures", "Arn"]}


@pytest.mark.parametrize("stage", STAGES)
def test_a_queue_source_reports_which_messages_failed(stage: str) -> None:
    queues = {n: m for n, m in sources(stage).items() if "StartingPosition" not in m}
    assert set(queues) == {"SettleEvents"}
    for mapping in queues.values():
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert mapping["BatchSize"] <= 10  # the most that a FIFO queue gives


@pytest.mark.parametrize("stage", CLOUD_STAGES)
def test_a_message_stays_invisible_for_six_times_its_functions_limit(stage: str) -> None:
    """AWS asks for it: a throttled function is tried again within that time."""
    whole = deployed(stage)
    for mapping in (m for m in sources(stage).values() if "StartingPosition" not in m):
        function = of_type(whole, "AWS::Lambda::Function")[mapping["FunctionName"]["Ref"]]
        queue = of_type(whole, "AWS::SQS::Queue")[mapping["EventSourceArn"]["Fn::GetAtt"][0]]
        assert queue["VisibilityTimeout"] >= 6 * function["Timeout"]


def clocks(whole: dict[str, Any], function: str) -> list[dict[str, Any]]:
    """The rules that call a function, each with a permission of its own."""
    rules = of_type(whole, "AWS::Events::Rule")
    permissions = of_type(whole, "AWS::Lambda::Permission").values()
    called = [p for p in permissions if p["FunctionName"] == {"Ref": function}]
    assert [p["Principal"] for p in called] == ["events.amazonaws.com"]
    return [rules[p["SourceArn"]["Fn::GetAtt"][0]] for p in called]


@pytest.mark.parametrize("stage", STAGES)
def test_the_canary_flies_only_where_it_was_asked_to_and_its_silence_is_told(stage: str) -> None:
    (clock,) = clocks(deployed(stage), "TryOrder")
    assert clock["State"] == "DISABLED"
    assert "CanaryFails" not in of_type(deployed(stage), "AWS::CloudWatch::Alarm")
    flying = laid_flat({**overrides(stage), "CanaryOrders": "rate(1 minute)"})
    (clock,) = clocks(flying, "TryOrder")
    assert (clock["State"], clock["ScheduleExpression"]) == ("ENABLED", "rate(1 minute)")
    alarm = of_type(flying, "AWS::CloudWatch::Alarm")["CanaryFails"]
    assert (alarm["MetricName"], alarm["Threshold"], alarm["TreatMissingData"]) == ("CanaryFailed", 0, "breaching")
    # By password, and only for who may call Cognito in the pool's name: people's own sign-in stays as it was.
    (client,) = of_type(flying, "AWS::Cognito::UserPoolClient").values()
    assert "ALLOW_ADMIN_USER_PASSWORD_AUTH" in client["ExplicitAuthFlows"]
    assert "ALLOW_USER_PASSWORD_AUTH" not in client["ExplicitAuthFlows"]


@pytest.mark.parametrize("stage", STAGES)
def test_the_reconciliation_is_called_by_its_own_clock_alone_and_its_silence_is_told(stage: str) -> None:
    whole = deployed(stage)
    (clock,) = clocks(whole, "Reconcile")
    (alarm,) = [a for a in of_type(whole, "AWS::CloudWatch::Alarm").values() if a["MetricName"] == "LedgerImbalance"]
    assert (alarm["Threshold"], alarm["TreatMissingData"]) == (0, "breaching")
    limit_s = of_type(whole, "AWS::Lambda::Function")["Reconcile"]["Timeout"]
    assert limit_s > reconcile.RUN_US / 1e6 + patience.LEDGER_STATEMENT_S + patience.INDEX_LAG_S
    minutes = int(clock["ScheduleExpression"].removeprefix("rate(").split()[0])
    assert 2 * minutes * 60 < alarm["Period"]  # one run may fail and nobody is woken


@pytest.mark.parametrize("stage", STAGES)
def test_a_function_behind_rest_outlives_all_that_it_waits_for_and_is_outlived_by_the_gateway(stage: str) -> None:
    functions = of_type(deployed(stage), "AWS::Lambda::Function")
    for name in ("PlaceOrder", "AmendOrder", "CancelOrder", "Deposit", "OperateMarket", "Disconnect"):
        assert patience.PLACE_S < functions[name]["Timeout"] < patience.GATEWAY_S
    for name in ("GetOrders", "GetAccounts", "MarketData"):
        assert patience.READ_S < functions[name]["Timeout"] < patience.GATEWAY_S


@pytest.mark.parametrize("stage", CLOUD_STAGES)
def test_functions_stand_in_the_network_unless_they_need_the_internet(stage: str) -> None:
    functions = of_type(deployed(stage), "AWS::Lambda::Function")
    assert {name for name, function in functions.items() if "VpcConfig" not in function} == OUTSIDE_THE_NETWORK


def test_the_local_stage_has_no_network() -> None:
    functions = of_type(deployed("local"), "AWS::Lambda::Function")
    assert not [name for name, function in functions.items() if "VpcConfig" in function]


def sources(stage: str) -> dict[str, dict[str, Any]]:
    """Every event source mapping."""
    return of_type(deployed(stage), "AWS::Lambda::EventSourceMapping")


@pytest.mark.parametrize("stage", STAGES)
def test_every_function_knows_the_client_for_which_tokens_are_made(stage: str) -> None:
    for name, function in of_type(deployed(stage), "AWS::Lambda::Function").items():
        assert function["Environment"]["Variables"]["USER_POOL_CLIENT_ID"] == {"Ref": "UserPoolClient"}, name


@pytest.mark.parametrize("stage", CLOUD_STAGES)
def test_functions_reach_the_database_through_the_proxy_and_the_matcher_does_not(stage: str) -> None:
    functions = of_type(deployed(stage), "AWS::Lambda::Function").values()
    variables = [function.get("Environment", {}).get("Variables", {}) for function in functions]
    with_database = [each for each in variables if "DATABASE_SECRET_ARN" in each]
    assert with_database
    for each in with_database:
        assert each["DATABASE_PROXY"] == {"Fn::GetAtt": ["Proxy", "Endpoint"]}, each["POWERTOOLS_SERVICE_NAME"]
    (task,) = of_type(deployed(stage), "AWS::ECS::TaskDefinition").values()
    assert "Proxy" not in str(task)


@pytest.mark.parametrize("stage", STAGES)
def test_what_the_functions_are_told_is_encrypted_with_our_key(stage: str) -> None:
    for name, function in of_type(deployed(stage), "AWS::Lambda::Function").items():
        assert function["KmsKeyArn"] == {"Fn::GetAtt": ["SecretsKey", "Arn"]}, name


@pytest.mark.parametrize("stage", STAGES)
def test_every_failure_is_heard_or_kept(stage: str) -> None:
    """A function has a destination for failures, answers a caller who waits, or reads what keeps what it failed on."""
    whole = deployed(stage)
    apis = ("AWS::ApiGateway::RestApi", "AWS::ApiGatewayV2::Integration", "AWS::ApiGatewayV2::Authorizer")
    asked = {name.split(".")[0].removesuffix("Aliaslive") for name in references(list(of_type(whole, *apis).values()))}
    reading = set()
    for mapping in sources(stage).values():
        queue = of_type(whole, "AWS::SQS::Queue").get(str(mapping["EventSourceArn"].get("Fn::GetAtt", [""])[0]), {})
        if "RedrivePolicy" in queue or "DestinationConfig" in mapping:
            reading.add(mapping["FunctionName"]["Ref"])
    # CodeDeploy waits for an answer, and takes silence for a no.
    asked |= {"TryVersion"}
    # Secrets Manager takes a step again that failed, and until then everything is as it was; an alarm tells of it.
    called = [p for p in of_type(whole, "AWS::Lambda::Permission").values() if p["Principal"].startswith("secretsm")]
    rotating = {permission["FunctionName"]["Ref"] for permission in called}
    configs = of_type(whole, "AWS::Lambda::EventInvokeConfig").values()
    kept = {each["FunctionName"]["Ref"] for each in configs if "OnFailure" in each["DestinationConfig"]}
    assert set(of_type(whole, "AWS::Lambda::Function")) - asked - reading - rotating - kept == set()


@pytest.mark.parametrize("stage", ["staging", "prod"])
def test_what_answers_rest_is_tried_by_a_tenth_first_and_taken_back_by_an_alarm(stage: str) -> None:
    whole = deployed(stage)
    behind = {name.split(".")[0] for name in references(list(of_type(whole, "AWS::ApiGateway::RestApi").values()))}
    aliases = {name for name in behind if name.endswith("Aliaslive")}
    functions = {name for name in behind if name in of_type(whole, "AWS::Lambda::Function")}
    assert aliases
    assert functions == set(), "the API calls these past their alias"
    for name in aliases:
        update = whole["Resources"][name]["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
        group = of_type(whole, "AWS::CodeDeploy::DeploymentGroup")[update["DeploymentGroupName"]["Ref"]]
        assert group["DeploymentConfigName"] == "CodeDeployDefault.LambdaCanary10Percent5Minutes"
        assert group["AlarmConfiguration"] == {"Enabled": True, "Alarms": [{"Name": {"Ref": "RestFails"}}]}
        assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
        assert update["BeforeAllowTrafficHook"] == {"Ref": "TryVersion"}


@pytest.mark.parametrize("stage", STAGES)
def test_every_function_behind_rest_is_asked_something_before_it_gets_traffic(stage: str) -> None:
    whole = deployed(stage)
    function = of_type(whole, "AWS::Lambda::Function")["TryVersion"]
    # The only name that CodeDeploy's own role may call.
    assert function["FunctionName"].startswith("CodeDeployHook_")
    behind = references(list(of_type(whole, "AWS::ApiGateway::RestApi").values()))
    aliases = {name.split(".")[0] for name in behind if "Aliaslive" in name}
    told = references(function["Environment"]["Variables"]["VERSIONS"])
    asked = {of_type(whole, "AWS::Lambda::Version")[name]["FunctionName"]["Ref"] for name in told}
    assert {f"{name}Aliaslive" for name in asked} == aliases
    assert {events.verb_of(name) for name in asked} == set(QUESTIONS)


@pytest.mark.parametrize("stage", ["local", "dev"])
def test_no_time_is_spent_on_canaries_where_nobody_trades(stage: str) -> None:
    assert of_type(deployed(stage), "AWS::CodeDeploy::DeploymentGroup") == {}
