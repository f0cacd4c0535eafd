"""Runs one deployed function by Lambda's real runtime interface: in a container where one can run, else on this host.

On the host that is the runtime interface emulator of the SAM CLI's own package together with awslambdaric, which is
what a container would hold as well. Either way the function finds the stores of the running local venue.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec
import urllib3

from local import deploy
from local.processes import LocalError, clean_environment, free_port, listens, start, stop, tail, wait_until
from local.servers import CREDENTIALS, REGION, aws_url
from local.setup import ROOT, TOOLS
from local.venue import Venue

_HANDLER = "app.handler"
_LAYERS = ("DomainLayer", "AwsLayer")


class Invoked(msgspec.Struct, frozen=True):
    """What a function answered (JSON), what it logged, and how it was run."""

    answer: str
    log: str
    by: str


class Deployed(msgspec.Struct, frozen=True, kw_only=True):
    """A function of the running venue: its build, and its environment as the deployed template gave it."""

    name: str
    built: Path
    memory_mb: int
    timeout_s: int
    environment: dict[str, str]

    @classmethod
    def find(cls, venue: Venue, name: str) -> "Deployed":
        """Look a function up by its logical id (PlaceOrder). Raises LocalError for an unknown one."""
        resources = venue.client("cloudformation").describe_stack_resources(StackName=deploy.STACK)["StackResources"]
        ids = {
            each["LogicalResourceId"]: each["PhysicalResourceId"]
            for each in resources
            if each["ResourceType"] == "AWS::Lambda::Function"
        }
        if name not in ids:
            raise LocalError(f"there is no function {name!r}; there are {', '.join(sorted(ids))}")
        found = venue.client("lambda").get_function_configuration(FunctionName=ids[name])
        endpoint = {**CREDENTIALS, "AWS_REGION": REGION, "AWS_ENDPOINT_URL": aws_url(venue.state)}
        return cls(
            name=name,
            built=deploy.build(),
            memory_mb=found["MemorySize"],
            timeout_s=found["Timeout"],
            environment={**found["Environment"]["Variables"], **endpoint},
        )


def invoke(function: Deployed, event: bytes) -> Invoked:
    """Run the function once on this event (JSON). Raises LocalError when it could not be run at all."""
    return _in_container(function, event) if _containers_run() else on_host(function, event)


def on_host(function: Deployed, event: bytes) -> Invoked:
    """Run the function by the runtime interface emulator on this host. Raises LocalError where there is none."""
    emulator = _runtime_interface_emulator()
    port, interface = free_port(), free_port()
    layers = [function.built / layer / "python" for layer in _LAYERS]
    code = function.built / function.name
    environment = clean_environment(
        **function.environment,
        PYTHONPATH=":".join(str(path) for path in (code, *layers)),
        LAMBDA_TASK_ROOT=str(code),
        AWS_LAMBDA_FUNCTION_NAME=function.name,
        AWS_LAMBDA_FUNCTION_MEMORY_SIZE=str(function.memory_mb),
        AWS_LAMBDA_FUNCTION_TIMEOUT=str(function.timeout_s),
    )
    addresses = ["--runtime-interface-emulator-address", f"127.0.0.1:{port}"]
    addresses += ["--runtime-api-address", f"127.0.0.1:{interface}", "--log-level", "error"]
    runtime = [sys.executable, "-m", "awslambdaric", _HANDLER]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        running = start([emulator, *addresses, *runtime], env=environment, log=log, cwd=code)
        try:
            wait_until(lambda: listens(port), name="the runtime interface emulator", running=running, log=log)
            answer = _post(f"http://127.0.0.1:{port}/2015-03-31/functions/function/invocations", event)
            return Invoked(answer, tail(log, 200), "awslambdaric on this host")
        finally:
            stop(running, grace_s=2)


def _post(url: str, event: bytes) -> str:
    with urllib3.PoolManager(timeout=urllib3.Timeout(120), retries=False) as http:
        try:
            return http.request("POST", url, body=event, headers={"Connection": "close"}).data.decode()
        except urllib3.exceptions.HTTPError as error:
            raise LocalError(f"the runtime interface emulator did not answer: {error}") from error


def _runtime_interface_emulator() -> Path:
    folder = next(TOOLS.glob("sam/lib/python3*/site-packages/samcli/local/rapid"), None)
    program = folder / f"aws-lambda-rie-{deploy.ARCHITECTURE}" if folder else None
    if program is None or not program.exists():
        raise LocalError("the SAM CLI in .local/tools brings no runtime interface emulator: run python3 local/setup.py")
    if sys.platform != "linux":
        raise LocalError("without a container runtime, functions run by the runtime interface on Linux only")
    return program


def _containers_run() -> bool:
    docker = shutil.which("docker")
    if docker is None:
        return False
    try:
        return subprocess.run([docker, "info"], capture_output=True, timeout=10, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def _in_container(function: Deployed, event: bytes) -> Invoked:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "event.json").write_bytes(event)
        (folder / "template.json").write_bytes(msgspec.json.encode(_template(function)))
        files: list[str | Path] = ["--template", folder / "template.json", "--event", folder / "event.json"]
        done = subprocess.run(
            [TOOLS / "sam" / "bin" / "sam", "local", "invoke", function.name, *files, "--docker-network", "host"],
            cwd=ROOT,
            env=clean_environment(**CREDENTIALS),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise LocalError(f"sam local invoke failed:\n{done.stderr}")
    return Invoked(done.stdout.strip().rpartition("\n")[2], done.stderr, "sam local invoke")


def _template(function: Deployed) -> Mapping[str, object]:
    """The function alone, with the environment that it has where it is deployed."""
    common = {"CompatibleRuntimes": ["python3.13"], "CompatibleArchitectures": [deploy.ARCHITECTURE]}
    layers = {
        name: {
            "Type": "AWS::Serverless::LayerVersion",
            "Properties": {"ContentUri": str(function.built / name), **common},
        }
        for name in _LAYERS
    }
    properties = {
        "CodeUri": str(function.built / function.name),
        "Handler": _HANDLER,
        "Runtime": "python3.13",
        "Architectures": [deploy.ARCHITECTURE],
        "MemorySize": function.memory_mb,
        "Timeout": function.timeout_s,
        "Layers": [{"Ref": name} for name in _LAYERS],
        "Environment": {"Variables": function.environment},
    }
    resources = {**layers, function.name: {"Type": "AWS::Serverless::Function", "Properties": properties}}
    return {"Transform": "AWS::Serverless-2016-10-31", "Resources": resources}
