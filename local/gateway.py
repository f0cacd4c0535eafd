"""What the emulator leaves out when it imports the REST API of a deployed template: the bodies of API Gateway's errors.

They are in the template (GatewayResponses); here they are set through the API's control plane. Body models it leaves
out as well: on one machine it is the functions that refuse every bad body, which they can do without API Gateway.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_apigateway import APIGatewayClient
    from mypy_boto3_apigateway.literals import GatewayResponseTypeType
    from mypy_boto3_cloudformation import CloudFormationClient


def finish_rest_api(*, gateway: "APIGatewayClient", cloudformation: "CloudFormationClient", stack: str) -> None:
    """Give the deployed REST API the gateway responses that its template states, and publish it."""
    template: Any = cloudformation.get_template(StackName=stack, TemplateStage="Processed")["TemplateBody"]
    body = template["Resources"]["RestApi"]["Properties"]["Body"]
    resource = cloudformation.describe_stack_resource(StackName=stack, LogicalResourceId="RestApi")
    api = resource["StackResourceDetail"]["PhysicalResourceId"]
    _put_error_bodies(gateway, api, body["x-amazon-apigateway-gateway-responses"])
    deployment = gateway.create_deployment(restApiId=api)["id"]
    gateway.update_stage(
        restApiId=api,
        stageName="local",
        patchOperations=[{"op": "replace", "path": "/deploymentId", "value": deployment}],
    )


def _put_error_bodies(
    gateway: "APIGatewayClient", api: str, responses: Mapping["GatewayResponseTypeType", Any]
) -> None:
    for kind, response in responses.items():
        status = {"statusCode": str(response["statusCode"])} if "statusCode" in response else {}
        gateway.put_gateway_response(
            restApiId=api,
            responseType=kind,
            responseParameters=response.get("responseParameters", {}),
            responseTemplates=response.get("responseTemplates", {}),
            **status,
        )
