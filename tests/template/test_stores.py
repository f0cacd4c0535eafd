"""Queues, streams, tables, buckets and databases: encrypted with our keys, backed up, closed to others."""

import pytest

from matcher.shell.wiring import LEASE_S
from tests.template.model import NESTED, STAGES, deployed, of_type, template
from venue.desk import DEADLINE_US
from venue_aws import doorkeepers

# Log delivery knows S3's own keys only; and what is public needs no key of ours.
WITHOUT_OUR_KEY = {"TapeAccessLogs", "EdgeLogs", "WebBucket"}


@pytest.mark.parametrize("stage", STAGES)
def test_the_order_and_events_queues_are_fifo_and_give_up_into_a_fifo_queue(stage: str) -> None:
    queues = of_type(deployed(stage), "AWS::SQS::Queue")
    for name, dead_letters in (("OrderQueue", "OrderDeadLetters"), ("EventsQueue", "EventsDeadLetters")):
        redrive = queues[name]["RedrivePolicy"]
        assert redrive["deadLetterTargetArn"] == {"Fn::GetAtt": [dead_letters, "Arn"]}
        assert redrive["maxReceiveCount"] >= 3
        assert queues[name]["FifoQueue"] is queues[dead_letters]["FifoQueue"] is True
        # One group is one partition; only then does each account or shard have the full rate to itself.
        assert queues[name]["FifoThroughputLimit"] == "perMessageGroupId"
        assert queues[name]["DeduplicationScope"] == "messageGroup"


@pytest.mark.parametrize("stage", STAGES)
def test_every_queue_gives_up_somewhere_or_is_that_place(stage: str) -> None:
    queues = of_type(deployed(stage), "AWS::SQS::Queue")
    targets = {
        q["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0] for q in queues.values() if "RedrivePolicy" in q
    }
    failures = {
        m["DestinationConfig"]["OnFailure"]["Destination"]["Fn::GetAtt"][0]
        for m in of_type(deployed(stage), "AWS::Lambda::EventSourceMapping").values()
        if "DestinationConfig" in m
    }
    uncalled = {
        config["DestinationConfig"]["OnFailure"]["Destination"]["Fn::GetAtt"][0]
        for config in of_type(deployed(stage), "AWS::Lambda::EventInvokeConfig").values()
    }
    ends = {name for name, queue in queues.items() if "RedrivePolicy" not in queue}
    assert ends == targets | failures | uncalled
    for name in ends:
        assert queues[name]["MessageRetentionPeriod"] == 1_209_600, name  # fourteen days, the longest there is


@pytest.mark.parametrize("stage", STAGES)
def test_someone_is_told_when_a_message_is_set_aside(stage: str) -> None:
    alarms = of_type(deployed(stage), "AWS::CloudWatch::Alarm").values()
    watched = {d["Value"]["Fn::GetAtt"][0] for a in alarms for d in a.get("Dimensions", []) if d["Name"] == "QueueName"}
    queues = of_type(deployed(stage), "AWS::SQS::Queue")
    assert {name for name, queue in queues.items() if "RedrivePolicy" not in queue} <= watched


@pytest.mark.parametrize("stage", STAGES)
def test_someone_is_told_when_messages_wait(stage: str) -> None:
    ages = [
        alarm
        for alarm in of_type(deployed(stage), "AWS::CloudWatch::Alarm").values()
        if alarm["MetricName"] == "ApproximateAgeOfOldestMessage"
    ]
    watched = {alarm.get("Dimensions", [])[0]["Value"]["Fn::GetAtt"][0] for alarm in ages}
    queues = of_type(deployed(stage), "AWS::SQS::Queue")
    assert {name for name, queue in queues.items() if "RedrivePolicy" in queue} == watched
    assert all(0 < alarm["Threshold"] <= 60 for alarm in ages)


@pytest.mark.parametrize("stage", STAGES)
def test_no_queue_forgets_a_message_before_anyone_can_look(stage: str) -> None:
    queues = of_type(deployed(stage), "AWS::SQS::Queue")
    assert {queue["MessageRetentionPeriod"] for queue in queues.values()} == {1_209_600}


@pytest.mark.parametrize("stage", STAGES)
def test_an_order_that_a_killed_matcher_had_in_hand_is_in_time_for_the_next(stage: str) -> None:
    visible_s = of_type(deployed(stage), "AWS::SQS::Queue")["OrderQueue"]["VisibilityTimeout"]
    # Seen again, it still has to be received, and a new owner may have the books to recover first.
    assert visible_s * 1_000_000 <= DEADLINE_US / 3
    # And a commit that hangs is given up before the message is seen by anyone else.
    assert visible_s > 2 * LEASE_S


@pytest.mark.parametrize("stage", STAGES)
def test_settlement_may_and_can_shorten_the_wait_after_a_failure(stage: str) -> None:
    fan_out = of_type(deployed(stage), "AWS::Lambda::Function")["FanOut"]
    assert fan_out["Environment"]["Variables"]["EVENTS_QUEUE_URL"] == {"Ref": "EventsQueue"}
    role = of_type(deployed(stage), "AWS::IAM::Role")["FanOutRole"]
    granted = [
        each
        for policy in role["Policies"]
        for each in policy["PolicyDocument"]["Statement"]
        if each["Resource"] == {"Fn::GetAtt": ["EventsQueue", "Arn"]}
    ]
    assert "sqs:ChangeMessageVisibility" in {action for each in granted for action in each["Action"]}


@pytest.mark.parametrize("stage", STAGES)
def test_queues_and_streams_are_encrypted_with_our_key(stage: str) -> None:
    keys = set(of_type(deployed(stage), "AWS::KMS::Key"))
    for name, queue in of_type(deployed(stage), "AWS::SQS::Queue").items():
        assert queue["KmsMasterKeyId"]["Fn::GetAtt"][0] in keys, name
    for name, stream in of_type(deployed(stage), "AWS::Kinesis::Stream").items():
        assert stream["StreamEncryption"]["EncryptionType"] == "KMS", name
        assert stream["StreamEncryption"]["KeyId"]["Fn::GetAtt"][0] in keys, name


@pytest.mark.parametrize("stage", STAGES)
def test_tables_are_encrypted_restorable_and_on_demand(stage: str) -> None:
    tables = of_type(deployed(stage), "AWS::DynamoDB::Table")
    assert set(tables) == {"Wallets", "Holds", "Sessions"}
    for name, table in tables.items():
        assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}, name
        assert table["SSESpecification"]["SSEEnabled"] is True, name
        assert table["SSESpecification"]["KMSMasterKeyId"] == {"Fn::GetAtt": ["TablesKey", "Arn"]}, name
        assert table["ContributorInsightsSpecification"] == {"Enabled": True}, name
        assert table["BillingMode"] == "PAY_PER_REQUEST", name
    assert tables["Sessions"]["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}


@pytest.mark.parametrize("stage", STAGES)
def test_buckets_are_closed_and_encrypted_with_our_key(stage: str) -> None:
    buckets = of_type(deployed(stage), "AWS::S3::Bucket")
    assert buckets
    for name, bucket in buckets.items():
        block = bucket["PublicAccessBlockConfiguration"]
        names = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
        assert [block[part] for part in names] == [True] * 4, name
        (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        algorithm = rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"]
        assert algorithm == ("AES256" if name in WITHOUT_OUR_KEY else "aws:kms"), name
    policies = of_type(deployed(stage), "AWS::S3::BucketPolicy").values()
    denied = {
        policy["Bucket"]["Ref"]
        for policy in policies
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny" and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    }
    assert denied == set(buckets)


@pytest.mark.parametrize("stage", STAGES)
def test_keys_rotate(stage: str) -> None:
    keys = of_type(deployed(stage), "AWS::KMS::Key")
    assert len(keys) >= 5
    assert {key["EnableKeyRotation"] for key in keys.values()} == {True}


@pytest.mark.parametrize("stage", STAGES)
def test_what_holds_money_or_history_outlives_its_stack(stage: str) -> None:
    kept = {
        n for n, r in deployed(stage)["Resources"].items() if r.get("DeletionPolicy", "Delete").startswith("Retain")
    }
    assert {"Wallets", "Holds", "TapeBucket", "TapeKey", "TablesKey", "UserPool"} <= kept


@pytest.mark.parametrize("path", ["template.yaml", *NESTED])
def test_every_secret_has_our_key(path: str) -> None:
    for name, secret in of_type(template(path), "AWS::SecretsManager::Secret").items():
        assert secret.get("KmsKeyId"), name


def test_aurora_has_three_zones_backups_encryption_and_tls() -> None:
    data = template("infra/data.yaml")
    (cluster,) = of_type(data, "AWS::RDS::DBCluster").values()
    assert cluster["StorageEncrypted"] is True
    assert cluster["KmsKeyId"] == {"Ref": "DataKeyArn"}
    assert cluster["BackupRetentionPeriod"] == {"Ref": "BackupRetentionDays"}
    assert cluster["DeletionProtection"] == {"Ref": "DeletionProtection"}
    assert data["Resources"]["Database"]["DeletionPolicy"] == "Snapshot"
    (parameters,) = of_type(data, "AWS::RDS::DBClusterParameterGroup").values()
    assert parameters["Parameters"]["rds.force_ssl"] == "1"
    instances = of_type(data, "AWS::RDS::DBInstance").values()
    assert sorted(i["AvailabilityZone"]["Fn::Select"][0] for i in instances) == [0, 1, 2]
    assert {i["PubliclyAccessible"] for i in instances} == {False}


def test_redis_fails_over_by_itself_and_asks_for_tls_and_a_password() -> None:
    data = template("infra/data.yaml")
    (redis,) = of_type(data, "AWS::ElastiCache::ReplicationGroup").values()
    for promise in (
        "AutomaticFailoverEnabled",
        "MultiAZEnabled",
        "TransitEncryptionEnabled",
        "AtRestEncryptionEnabled",
    ):
        assert redis[promise] is True, promise
    assert redis["NumCacheClusters"] == 3
    (group,) = of_type(data, "AWS::ElastiCache::UserGroup").values()
    assert redis["UserGroupIds"] == [{"Ref": "RedisUsers"}]
    users = of_type(data, "AWS::ElastiCache::User")
    assert [each["Ref"] for each in group["UserIds"]] == ["RedisNobody", "RedisFunctions", "RedisMatcher"]
    assert users["RedisNobody"]["AccessString"].startswith("off ")
    # What they may is what they may on a Redis of one's own.
    named = {user["UserName"]: user["AccessString"] for user in users.values() if user["UserName"] != "default"}
    assert named == doorkeepers.RULES
    for user in (users["RedisFunctions"], users["RedisMatcher"]):
        assert "resolve:secretsmanager" in str(user["AuthenticationMode"]["Passwords"])


def test_every_secret_rotates_within_a_month_by_the_function_for_its_kind() -> None:
    whole = deployed("prod")
    schedules = of_type(whole, "AWS::SecretsManager::RotationSchedule").values()
    by = {each["SecretId"]["Ref"]: each["RotationLambdaARN"]["Fn::GetAtt"][0] for each in schedules}
    databases, caches = {"DatabaseSecret", "MatcherDatabaseSecret"}, {"RedisSecret", "MatcherRedisSecret"}
    assert by == dict.fromkeys(databases, "RotateDatabase") | dict.fromkeys(caches, "RotateRedis")
    # The canary's is a password of Cognito, see its suppression.
    assert set(by) == set(of_type(whole, "AWS::SecretsManager::Secret")) - {"CanarySecret"}
    for each in schedules:
        assert each["RotationRules"]["AutomaticallyAfterDays"] <= 30
        assert each["RotateImmediatelyOnUpdate"] is True  # it makes the users that the secret names
    (cluster,) = of_type(whole, "AWS::RDS::DBCluster").values()
    assert cluster["ManageMasterUserPassword"] is True
    assert "MasterUserPassword" not in cluster


@pytest.mark.parametrize("stage", STAGES)
def test_only_secrets_manager_calls_a_rotation(stage: str) -> None:
    permissions = of_type(deployed(stage), "AWS::Lambda::Permission").values()
    rotations = [each for each in permissions if each["FunctionName"].get("Ref", "").startswith("Rotate")]
    assert {each["FunctionName"]["Ref"] for each in rotations} == {"RotateDatabase", "RotateRedis"}
    for each in rotations:
        assert each["Principal"] == "secretsmanager.amazonaws.com"
        assert each["SourceAccount"]  # of the same account, and not by another's Secrets Manager
