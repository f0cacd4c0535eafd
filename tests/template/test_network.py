"""The network: no way out, and no door that is open to an address instead of a group."""

from typing import Any

import pytest

from tests.template.model import NESTED, of_type, template

RULES = ("AWS::EC2::SecurityGroupIngress", "AWS::EC2::SecurityGroupEgress")


def rules(path: str) -> list[dict[str, Any]]:
    """Every security group rule of a template, inline or on its own."""
    whole = template(path)
    found = list(of_type(whole, *RULES).values())
    for group in of_type(whole, "AWS::EC2::SecurityGroup").values():
        found += group.get("SecurityGroupIngress", []) + group.get("SecurityGroupEgress", [])
    return found


@pytest.mark.parametrize("path", ["template.yaml", *NESTED])
def test_no_security_group_names_an_address(path: str) -> None:
    for rule in rules(path):
        assert not {"CidrIp", "CidrIpv6"} & set(rule), rule
        assert rule["FromPort"] == rule["ToPort"], rule
        assert rule["IpProtocol"] == "tcp", rule


def test_security_groups_name_each_other() -> None:
    groups = set(of_type(template("infra/network.yaml"), "AWS::EC2::SecurityGroup"))
    named = {
        rule[side]["Fn::GetAtt"][0]
        for rule in rules("infra/network.yaml")
        for side in ("SourceSecurityGroupId", "DestinationSecurityGroupId")
        if side in rule
    }
    assert named == groups


def test_every_group_closes_the_way_out_that_aws_opens_by_default() -> None:
    network = template("infra/network.yaml")
    closed = {rule["GroupId"]["Fn::GetAtt"][0] for rule in of_type(network, "AWS::EC2::SecurityGroupEgress").values()}
    for name, group in of_type(network, "AWS::EC2::SecurityGroup").items():
        assert name in closed or group["SecurityGroupEgress"], name


def test_what_may_leave_a_group_may_enter_the_other() -> None:
    ways_in, ways_out = set(), set()
    network = template("infra/network.yaml")
    for rule in of_type(network, "AWS::EC2::SecurityGroupIngress").values():
        ways_in.add(
            (rule["SourceSecurityGroupId"]["Fn::GetAtt"][0], rule["GroupId"]["Fn::GetAtt"][0], rule["FromPort"])
        )
    for name, group in of_type(network, "AWS::EC2::SecurityGroup").items():
        for rule in group.get("SecurityGroupEgress", []):
            if "DestinationSecurityGroupId" in rule:
                ways_out.add((name, rule["DestinationSecurityGroupId"]["Fn::GetAtt"][0], rule["FromPort"]))
    assert ways_in == ways_out


def test_there_is_no_way_out() -> None:
    types = {resource["Type"] for path in NESTED for resource in template(path)["Resources"].values()}
    assert not types & {
        "AWS::EC2::EgressOnlyInternetGateway",
        "AWS::EC2::InternetGateway",
        "AWS::EC2::NatGateway",
        "AWS::EC2::Route",
        "AWS::EC2::TransitGatewayAttachment",
        "AWS::EC2::VPCPeeringConnection",
    }


def test_the_subnets_lie_in_three_zones() -> None:
    subnets = of_type(template("infra/network.yaml"), "AWS::EC2::Subnet").values()
    assert sorted(subnet["AvailabilityZone"]["Fn::Select"][0] for subnet in subnets) == [0, 1, 2]
    assert not [subnet for subnet in subnets if subnet.get("MapPublicIpOnLaunch")]


def test_all_that_is_called_from_inside_has_an_endpoint() -> None:
    endpoints = of_type(template("infra/network.yaml"), "AWS::EC2::VPCEndpoint").values()
    services = {e["ServiceName"]["Fn::Sub"].removeprefix("com.amazonaws.${AWS::Region}.") for e in endpoints}
    called = {"dynamodb", "s3", "sqs", "kinesis-streams", "secretsmanager", "kms", "logs", "monitoring", "xray"}
    called |= {"elasticache"}  # to change its users
    assert services == called | {"ecr.api", "ecr.dkr"}
    for endpoint in endpoints:
        for statement in endpoint["PolicyDocument"]["Statement"]:
            assert "aws:PrincipalAccount" in str(statement.get("Condition")) or "starport" in str(statement["Resource"])
        if endpoint["VpcEndpointType"] == "Interface":
            assert endpoint["PrivateDnsEnabled"] is True
            assert len(endpoint["SubnetIds"]) == 3


def test_the_matcher_has_no_public_address_and_comes_back_by_itself() -> None:
    (service,) = of_type(template("infra/matcher.yaml"), "AWS::ECS::Service").values()
    assert service["NetworkConfiguration"]["AwsvpcConfiguration"]["AssignPublicIp"] == "DISABLED"
    deployment = service["DeploymentConfiguration"]
    assert deployment["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
    assert deployment["MinimumHealthyPercent"] == 100
    (task,) = of_type(template("infra/matcher.yaml"), "AWS::ECS::TaskDefinition").values()
    (container,) = task["ContainerDefinitions"]
    assert container["StopTimeout"] == 120
    assert container["ReadonlyRootFilesystem"] is True
    # Warm, and not just alive: the old tasks go when the new ones are healthy. As long as ECS lets it, for large books.
    assert "/warm'" in container["HealthCheck"]["Command"][-1]
    assert container["HealthCheck"]["StartPeriod"] == 300


def test_the_matcher_is_told_where_its_logins_are_and_none_of_them() -> None:
    (task,) = of_type(template("infra/matcher.yaml"), "AWS::ECS::TaskDefinition").values()
    (container,) = task["ContainerDefinitions"]
    told = {variable["Name"]: variable["Value"] for variable in container["Environment"]}
    assert told["DATABASE_SECRET_ARN"] == {"Ref": "DatabaseSecretArn"}
    assert told["REDIS_SECRET_ARN"] == {"Ref": "RedisSecretArn"}
    # What ECS reads at the start would stay what it was.
    assert "Secrets" not in container
    assert not [name for name in told if "PASSWORD" in name]
