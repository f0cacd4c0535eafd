"""The functions: each with a role of its own that names what it does, a log that ends, and sources that cannot jam."""

from collections.abc import Iterator
from typing import Any

import pytest

from functions.reconcile import app as reconcile
from tests.template.model import CLOUD_STAGES, NESTED, ROOT, STAGES, deployed, of_type, resolved, template
from tests.template.resolver import references
from venue_aws import patience

# Actions that know no resource.
WITHOUT_RESOURCE = {"ecr:GetAuthorizationToken"}
BORROWED = {"AWSLambdaBasicExecutionRole", "AWSLambdaVPCAccessExecutionRole", "AWSXrayWriteOnlyAccess"}
# Split batches would change the names of the objects that a retry is to overwrite.
NEVER_SPLIT = {"ArchiveTape"}
# Pushes to sockets and reads of Cognito's keys go over the internet, which the network has no way to.
OUTSIDE_THE_NETWORK = {"AuthorizeStream", "Broadcast", "Connect", "RecordTape", "Subscribe"}


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
    assert len(functions) == 16
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


@pytest.mark.parametrize("stage", STAGES)
def test_the_reconciliation_is_called_by_its_own_clock_alone_and_its_silence_is_told(stage: str) -> None:
    whole = deployed(stage)
    rules = of_type(whole, "AWS::Events::Rule")
    permissions = of_type(whole, "AWS::Lambda::Permission").values()
    (called,) = [p for p in permissions if p["Principal"] == "events.amazonaws.com"]
    assert called["FunctionName"] == {"Ref": "Reconcile"}
    assert called["SourceArn"]["Fn::GetAtt"][0] in rules
    (alarm,) = [a for a in of_type(whole, "AWS::CloudWatch::Alarm").values() if a["MetricName"] == "LedgerImbalance"]
    assert (alarm["Threshold"], alarm["TreatMissingData"]) == (0, "breaching")
    limit_s = of_type(whole, "AWS::Lambda::Function")["Reconcile"]["Timeout"]
    assert limit_s > reconcile.RUN_US / 1e6 + patience.LEDGER_STATEMENT_S + patience.INDEX_LAG_S
    (rule,) = rules.values()
    minutes = int(rule["ScheduleExpression"].removeprefix("rate(").split()[0])
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
    """A function has a dead-letter queue, or answers a caller who waits, or reads what keeps what it failed on."""
    whole = deployed(stage)
    apis = ("AWS::ApiGateway::RestApi", "AWS::ApiGatewayV2::Integration", "AWS::ApiGatewayV2::Authorizer")
    asked = {name.split(".")[0].removesuffix("Aliaslive") for name in references(list(of_type(whole, *apis).values()))}
    reading = set()
    for mapping in sources(stage).values():
        queue = of_type(whole, "AWS::SQS::Queue").get(str(mapping["EventSourceArn"].get("Fn::GetAtt", [""])[0]), {})
        if "RedrivePolicy" in queue or "DestinationConfig" in mapping:
            reading.add(mapping["FunctionName"]["Ref"])
    for name, function in of_type(whole, "AWS::Lambda::Function").items():
        assert "DeadLetterConfig" in function or name in asked | reading, name


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


@pytest.mark.parametrize("stage", ["local", "dev"])
def test_no_time_is_spent_on_canaries_where_nobody_trades(stage: str) -> None:
    assert of_type(deployed(stage), "AWS::CodeDeploy::DeploymentGroup") == {}
