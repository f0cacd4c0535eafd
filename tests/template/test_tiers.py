"""The tiers carry what their names promise: they are at least as large as the plan says, and cost no more tasks."""

import pytest

from infra.plan import bill
from infra.plan.sizes import GROUP_CALLS_S, MESSAGES_PER_SHARD_S, QUEUE_CALLS_S, TASK_VCPU, sizes_for
from infra.plan.traffic import Traffic
from matcher.shell.catalogue import load
from tests.template.model import ROOT, deployed, laid_flat, of_type, overrides, template

TIERS = [("baseline", 500, 2), ("x10", 5_000, 4)]


@pytest.mark.parametrize(("tier", "peak", "tasks_max"), TIERS)
def test_a_tier_is_as_large_as_the_plan(tier: str, peak: int, tasks_max: int) -> None:
    sizes, chosen = sizes_for(Traffic.of_peak(peak)), template()["Mappings"]["Tiers"][tier]
    assert sizes.tasks <= int(chosen["TaskCount"]) <= tasks_max
    assert int(chosen["TaskCpu"]) >= TASK_VCPU * 1024
    assert int(chosen["MatcherShards"]) >= sizes.shards
    assert int(chosen["TapeShards"]) >= sizes.tape_shards
    assert int(chosen["WarmPlaceOrder"]) >= sizes.concurrency


@pytest.mark.parametrize(("tier", "peak", "tasks_max"), TIERS)
def test_a_tier_reaches_what_is_deployed(tier: str, peak: int, tasks_max: int) -> None:
    del peak, tasks_max
    chosen = template()["Mappings"]["Tiers"][tier]
    whole = laid_flat({**overrides("prod"), "Tier": tier, "MatcherImageTag": "first"})
    (service,) = of_type(whole, "AWS::ECS::Service").values()
    assert service["DesiredCount"] == chosen["TaskCount"]
    (target,) = of_type(whole, "AWS::ApplicationAutoScaling::ScalableTarget").values()
    assert (target["MinCapacity"], target["MaxCapacity"]) == (chosen["TaskCount"], chosen["TaskCountMax"])
    (stream,) = of_type(whole, "AWS::Kinesis::Stream").values()
    assert stream["ShardCount"] == chosen["TapeShards"]
    warm = of_type(whole, "AWS::Lambda::Alias")["PlaceOrderAliaslive"]["ProvisionedConcurrencyConfig"]
    assert warm == {"ProvisionedConcurrentExecutions": chosen["WarmPlaceOrder"]}
    classes = {each["DBInstanceClass"] for each in of_type(whole, "AWS::RDS::DBInstance").values()}
    assert classes == {chosen["DatabaseClass"]}
    (cluster,) = of_type(whole, "AWS::RDS::DBCluster").values()
    assert ("ServerlessV2ScalingConfiguration" in cluster) == (chosen["DatabaseClass"] == "db.serverless")


@pytest.mark.parametrize("tier", ["small", "baseline", "x10"])
def test_a_tier_deals_products_to_every_one_of_its_shards(tier: str) -> None:
    shards = int(template()["Mappings"]["Tiers"][tier]["MatcherShards"])
    dealt = load(ROOT / "matcher" / "products.toml", shards=shards)
    assert {product.shard for product in dealt} == set(range(shards))
    whole = laid_flat({**overrides("prod"), "Tier": tier, "MatcherImageTag": "first"})
    (task,) = of_type(whole, "AWS::ECS::TaskDefinition").values()
    (container,) = task["ContainerDefinitions"]
    assert {"Name": "SHARDS", "Value": str(shards)} in container["Environment"]


@pytest.mark.parametrize(("tier", "peak", "tasks_max"), TIERS)
def test_a_tier_has_the_queues_that_its_shards_and_orders_need(tier: str, peak: int, tasks_max: int) -> None:
    del tasks_max
    shards = int(template()["Mappings"]["Tiers"][tier]["MatcherShards"])
    queues = of_type(laid_flat({**overrides("prod"), "Tier": tier}), "AWS::SQS::Queue")
    carrying = [queue for queue in queues.values() if queue.get("FifoQueue") and "RedrivePolicy" in queue]
    assert len(carrying) >= sizes_for(Traffic.of_peak(peak)).queues
    # Only so is a group, and not the queue, what 300 calls a second are counted for.
    assert {queue["FifoThroughputLimit"] for queue in carrying} == {"perMessageGroupId"}
    assert MESSAGES_PER_SHARD_S <= GROUP_CALLS_S
    assert shards * MESSAGES_PER_SHARD_S <= QUEUE_CALLS_S
    assert Traffic.of_peak(peak).commands_peak <= QUEUE_CALLS_S


def test_at_seven_tenths_of_the_processor_half_as_many_tasks_come_again_after_a_minute() -> None:
    whole = laid_flat({**overrides("prod"), "MatcherImageTag": "first"})
    alarm = of_type(whole, "AWS::CloudWatch::Alarm")["TasksAreBusy"]
    assert (alarm["MetricName"], alarm["Threshold"], alarm["Period"]) == ("CPUUtilization", 70, 60)
    assert alarm["AlarmActions"] == [{"Ref": "MoreTasks"}]
    more = of_type(whole, "AWS::ApplicationAutoScaling::ScalingPolicy")["MoreTasks"]["StepScalingPolicyConfiguration"]
    assert more["AdjustmentType"] == "PercentChangeInCapacity"
    assert more["StepAdjustments"] == [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 50}]
    assert more["Cooldown"] == 60


def test_the_bill_counts_what_is_deployed() -> None:
    whole = deployed("prod")
    inside = [
        each for each in of_type(whole, "AWS::EC2::VPCEndpoint").values() if each["VpcEndpointType"] == "Interface"
    ]
    assert len(inside) == bill.ENDPOINTS
    assert len(of_type(whole, "AWS::CloudWatch::Alarm")) == bill.ALARMS
    assert len(of_type(whole, "AWS::KMS::Key")) == bill.KEYS
    # And the master's, which RDS makes itself.
    (cluster,) = of_type(whole, "AWS::RDS::DBCluster").values()
    assert cluster["ManageMasterUserPassword"] is True
    assert len(of_type(whole, "AWS::SecretsManager::Secret")) + 1 == bill.SECRETS
