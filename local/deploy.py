"""Builds and deploys the real template with the real SAM CLI, to the emulator, and skips what has not changed."""

import compileall
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from local import calls
from local.gateway import finish_rest_api
from local.processes import LocalError, clean_environment
from local.rotate import keep_secrets
from local.servers import CREDENTIALS, aws_clients, aws_url, matcher_url
from local.setup import ROOT, TOOLS
from local.state import State

STACK = "venue-local"
BUCKET = "venue-local-artifacts"  # as in samconfig.toml
ARCHITECTURE = "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"
_BUILDS = ROOT / ".local" / "builds"
_LAYERS = ("DomainLayer", "AwsLayer")
# Where Python looks for .pth files in a layer.
_SITE = Path("python") / "lib" / "python3.13" / "site-packages"


def build() -> Path:
    """Give the folder with the built template: that of an earlier run where the sources are the same."""
    _BUILDS.mkdir(parents=True, exist_ok=True)
    with (_BUILDS / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        digest = _digest(_sources())
        built = _BUILDS / digest
        if not (built / "template.yaml").exists():
            started = _BUILDS / "unfinished"
            shutil.rmtree(started, ignore_errors=True)
            options = ["--build-dir", str(started), "--cache-dir", str(_BUILDS / "cache"), "--config-env", "local"]
            _sam("build", *options, "--parameter-overrides", "Stage=local", f"Architecture={ARCHITECTURE}", cwd=ROOT)
            for layer in _LAYERS:
                compileall.compile_dir(started / layer, quiet=2, workers=0)
            _forget_old_builds()
            started.rename(built)
        return built


def deploy(built: Path, state: State, folder: Path) -> None:
    """Make the stack of the venue in `folder` what `built` says, and note its outputs in `state`."""
    client, endpoint = aws_clients(state), aws_url(state)
    state.secret_arns = keep_secrets(client("secretsmanager"), state)
    parameters = {
        "Stage": "local",
        "Architecture": ARCHITECTURE,
        "LocalEndpoint": endpoint,
        "LocalMatcherUrl": matcher_url(state),
        "LocalDatabaseSecretArn": state.secret_arns["database"],
        "LocalRedisSecretArn": state.secret_arns["redis"],
        "LocalMatcherDatabaseSecretArn": state.secret_arns["matcher-database"],
        "LocalMatcherRedisSecretArn": state.secret_arns["matcher-redis"],
        "LocalDatabaseAdminSecretArn": state.secret_arns["database-admin"],
        "LocalRedisAdminSecretArn": state.secret_arns["redis-admin"],
        "LocalRedisPort": str(state.ports.redis),
    }
    wanted = hashlib.sha256(f"{built.name} {sorted(parameters.items())}".encode()).hexdigest()
    cloudformation = client("cloudformation")
    if wanted == state.deployed:
        return
    staged = _stage(built, folder / "build")
    client("s3").create_bucket(Bucket=BUCKET)
    overrides = [f"{name}={value}" for name, value in parameters.items()]
    config = ["--config-file", str(ROOT / "samconfig.toml"), "--config-env", "local"]
    template = ["--template-file", str(staged / "template.yaml")]
    _sam("deploy", *template, *config, "--parameter-overrides", *overrides, cwd=ROOT, endpoint=endpoint)
    [stack] = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
    state.outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    finish_rest_api(gateway=client("apigateway"), cloudformation=cloudformation, stack=STACK)
    state.deployed = wanted


def _sam(command: str, *options: str, cwd: Path, endpoint: str = "") -> None:
    # pip of the same Python builds the layers, so .venv comes first on PATH.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    extra = {**CREDENTIALS, "PATH": path} | ({"AWS_ENDPOINT_URL": endpoint} if endpoint else {})
    done = subprocess.run(
        [TOOLS / "sam" / "bin" / "sam", command, *options],
        cwd=cwd,
        env=clean_environment(**extra),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = "\n".join(f"    {line}" for line in (done.stdout + done.stderr).splitlines()[-40:])
        raise LocalError(f"sam {command} failed:\n{said}")


def _sources() -> Iterator[Path]:
    yield from (ROOT / "template.yaml", Path(__file__), Path(calls.__file__))
    for folder in ("functions", "layers", "infra"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and not {"__pycache__", ".mypy_cache"} & set(path.parts) and "egg-info" not in str(path):
                yield path


def _digest(paths: Iterator[Path]) -> str:
    digest = hashlib.sha256(f"{ARCHITECTURE} {sys.version}".encode())
    for path in paths:
        digest.update(f"\0{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _stage(built: Path, staged: Path) -> Path:
    """Give a copy of the build whose layers the emulator need not unpack for every worker that it starts.

    A layer as deployed is one line that leads to its content, which stands beside it, once: a worker then starts in
    half a second and needs no disk. Copies are hard links, and the venue's own: they stay when the build goes.
    """
    shutil.rmtree(staged, ignore_errors=True)
    shutil.copytree(built, staged, copy_function=os.link)
    for layer in _LAYERS:
        content = staged / "unpacked" / layer
        content.parent.mkdir(exist_ok=True)
        (staged / layer).rename(content)
        site = staged / layer / _SITE
        site.mkdir(parents=True)
        (site / "layer.pth").write_text(f"import sys; sys.path.insert(0, {str(content / 'python')!r})\n")
    _take_notes(staged)
    return staged


def _take_notes(staged: Path) -> None:
    """Have every function of this venue note what it asks AWS for."""
    shutil.copy(calls.__file__, staged / "unpacked" / "AwsLayer" / "python" / "venue_calls.py")
    folder = str(staged.parent / calls.FOLDER)
    with (staged / "AwsLayer" / _SITE / "layer.pth").open("a") as lines:
        lines.write(f"import os, venue_calls; venue_calls.follow({folder!r}, os.environ['AWS_LAMBDA_FUNCTION_NAME'])\n")


def _forget_old_builds(keep: int = 3) -> None:
    builds = sorted((path for path in _BUILDS.glob("*/template.yaml")), key=lambda path: path.stat().st_mtime)
    for template in builds[: -keep or None]:
        shutil.rmtree(template.parent)
