"""The edge: every route of the API gets through it, and nothing that is somebody's own is kept there."""

from fnmatch import fnmatchcase
from typing import Any

import pytest

from tests.template.model import CLOUD_STAGES, audited, deployed, of_type
from tests.template.test_rest import PUBLIC, routes

# AWS's own: CachingDisabled, and all that a viewer sends but the name of the host.
NOT_KEPT = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
ALL_PASSES = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
MANAGED = {
    "AWSManagedRulesAmazonIpReputationList",
    "AWSManagedRulesCommonRuleSet",
    "AWSManagedRulesKnownBadInputsRuleSet",
    "AWSManagedRulesSQLiRuleSet",
}


def distribution(stage: str) -> dict[str, Any]:
    """The one distribution."""
    (found,) = of_type(deployed(stage), "AWS::CloudFront::Distribution").values()
    config: dict[str, Any] = found["DistributionConfig"]
    return config


@pytest.mark.parametrize("stage", CLOUD_STAGES)
def test_every_route_gets_through_and_only_public_ones_are_kept_for_a_second(stage: str) -> None:
    behaviors = distribution(stage)["CacheBehaviors"]
    for method, path, _ in routes(stage):
        found = [each for each in behaviors if fnmatchcase(path, each["PathPattern"])]
        assert len(found) == 1, f"infra/edge.yaml: {path} needs exactly one of the CacheBehaviors"
        behavior = found[0]
        assert behavior["TargetOriginId"] == "api", path
        assert method.upper() in behavior["AllowedMethods"], (method, path)
        if (method, path) in PUBLIC:
            assert behavior["CachePolicyId"] == {"Ref": "ForASecond"}, path
        elif method == "get":
            assert behavior["CachePolicyId"] == NOT_KEPT, path
            assert behavior["OriginRequestPolicyId"] == ALL_PASSES, path


@pytest.mark.parametrize("stage", CLOUD_STAGES)
def test_what_is_kept_is_kept_for_a_second_and_for_everybody(stage: str) -> None:
    (policy,) = of_type(deployed(stage), "AWS::CloudFront::CachePolicy").values()
    config = policy["CachePolicyConfig"]
    assert config["MinTTL"] == config["DefaultTTL"] == config["MaxTTL"] == 1
    key = config["ParametersInCacheKeyAndForwardedToOrigin"]
    assert key["HeadersConfig"] == {"HeaderBehavior": "none"}
    assert key["CookiesConfig"] == {"CookieBehavior": "none"}
    assert key["QueryStringsConfig"] == {"QueryStringBehavior": "all"}


@pytest.mark.parametrize("stage", CLOUD_STAGES)
def test_every_answer_has_the_security_headers(stage: str) -> None:
    config = distribution(stage)
    for behavior in [config["DefaultCacheBehavior"], *config["CacheBehaviors"]]:
        assert behavior["ResponseHeadersPolicyId"] == {"Ref": "SecurityHeaders"}
        assert behavior["ViewerProtocolPolicy"] in ("https-only", "redirect-to-https")
    (policy,) = of_type(deployed(stage), "AWS::CloudFront::ResponseHeadersPolicy").values()
    headers = policy["ResponseHeadersPolicyConfig"]["SecurityHeadersConfig"]
    assert set(headers) == {
        *("StrictTransportSecurity", "ContentTypeOptions", "FrameOptions", "ReferrerPolicy", "ContentSecurityPolicy"),
    }
    assert "unsafe" not in str(headers["ContentSecurityPolicy"])


def test_with_a_domain_nothing_below_tls_1_2_is_spoken() -> None:
    (found,) = of_type(audited(), "AWS::CloudFront::Distribution").values()
    assert found["DistributionConfig"]["ViewerCertificate"]["MinimumProtocolVersion"] == "TLSv1.2_2021"
    (api,) = [each for each in found["DistributionConfig"]["Origins"] if each["Id"] == "api"]
    assert api["CustomOriginConfig"]["OriginProtocolPolicy"] == "https-only"
    assert api["CustomOriginConfig"]["OriginSSLProtocols"] == ["TLSv1.2"]


@pytest.mark.parametrize("stage", CLOUD_STAGES)
def test_a_firewall_stands_before_the_edge_and_one_before_the_api(stage: str) -> None:
    acls = of_type(deployed(stage), "AWS::WAFv2::WebACL")
    assert sorted(acl["Scope"] for acl in acls.values()) == ["CLOUDFRONT", "REGIONAL"]
    for name, acl in acls.items():
        statements = [rule["Statement"] for rule in acl["Rules"]]
        groups = {s["ManagedRuleGroupStatement"]["Name"] for s in statements if "ManagedRuleGroupStatement" in s}
        assert groups == MANAGED, name
        assert len([s for s in statements if "RateBasedStatement" in s]) == 2, name
        assert len({rule["Priority"] for rule in acl["Rules"]}) == len(acl["Rules"]), name
    (association,) = of_type(deployed(stage), "AWS::WAFv2::WebACLAssociation").values()
    assert "restapis" in str(association["ResourceArn"])
    assert distribution(stage)["WebACLId"] == {"Fn::GetAtt": ["EdgeFirewallWebAcl", "Arn"]}


@pytest.mark.parametrize("stage", CLOUD_STAGES)
def test_the_terminals_bucket_answers_our_distribution_only(stage: str) -> None:
    policy = of_type(deployed(stage), "AWS::S3::BucketPolicy")["WebBucketPolicy"]["PolicyDocument"]
    (allowed,) = [
        each for each in policy["Statement"] if each["Effect"] == "Allow" and "cloudfront" in str(each["Principal"])
    ]
    assert "Distribution" in str(allowed["Condition"]["StringEquals"]["aws:SourceArn"])
    (web,) = [each for each in distribution(stage)["Origins"] if each["Id"] == "web"]
    assert web["OriginAccessControlId"] == {"Ref": "OriginAccess"}
