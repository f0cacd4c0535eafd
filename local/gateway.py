"""What the emulator leaves out when it imports the REST API of a deployed template: error bodies and body models.

Both are in the template (GatewayResponses, Models, RequestModel); here they are set through the API's control plane.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from mypy_boto3_apigateway import APIGatewayClient
    from mypy_boto3_apigateway.literals import GatewayResponseTypeType
    from mypy_boto3_cloudformation import CloudFormationClient

_EXTENSION = "x-amazon-apigateway-"


def finish_rest_api(*, gateway: "APIGatewayClient", cloudformation: "CloudFormationClient", stack: str) -> None:
    """Give the deployed REST API the gateway responses and the body models that its template states, and publish it."""
    template: Any = cloudformation.get_template(StackName=stack, TemplateStage="Processed")["TemplateBody"]
    document = template if isinstance(template, Mapping) else msgspec.yaml.decode(template)
    properties = document["Resources"]["RestApi"]["Properties"]
    resource = cloudformation.describe_stack_resource(StackName=stack, LogicalResourceId="RestApi")
    api = resource["StackResourceDetail"]["PhysicalResourceId"]
    _put_error_bodies(gateway, api, properties["Body"][f"{_EXTENSION}gateway-responses"])
    _put_models(gateway, api, properties["Body"])
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


def _put_models(gateway: "APIGatewayClient", api: str, document: Mapping[str, Any]) -> None:
    known = {model["name"] for model in gateway.get_models(restApiId=api)["items"]}
    for name, schema in document["definitions"].items():
        if name not in known:
            text = msgspec.json.encode(schema).decode()
            gateway.create_model(restApiId=api, name=name, contentType="application/json", schema=text)
    validators = gateway.get_request_validators(restApiId=api)["items"]
    bodies = next((each["id"] for each in validators if each.get("validateRequestBody")), None)
    bodies = bodies or gateway.create_request_validator(restApiId=api, name="body-only", validateRequestBody=True)["id"]
    resources = {each["path"]: each["id"] for each in gateway.get_resources(restApiId=api, limit=500)["items"]}
    for path, methods in document["paths"].items():
        for verb, operation in methods.items():
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "body":
                    model = parameter["schema"]["$ref"].rpartition("/")[2]
                    gateway.update_method(
                        restApiId=api,
                        resourceId=resources[path],
                        httpMethod=verb.upper(),
                        patchOperations=[
                            {"op": "replace", "path": "/requestValidatorId", "value": bodies},
                            {"op": "add", "path": "/requestModels/application~1json", "value": model},
                        ],
                    )
