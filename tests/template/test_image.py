"""The matcher's image: what is copied is what is locked and what is imported; it runs as nobody and writes nothing."""

import ast
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.template.model import ROOT, of_type, template

DOCKERFILE = re.sub(r"\\\n\s*", "", (ROOT / "matcher" / "Dockerfile").read_text())
PIN = re.compile(r"^([A-Za-z0-9._-]+==[^ ;\\]+)", re.MULTILINE)
# Where the packages that are copied stand in the repository.
PACKAGES = {"venue": "layers/domain/venue", "venue_aws": "layers/aws/venue_aws", "matcher": "matcher"}


def copied() -> Iterator[Path]:
    """Every file or folder of the repository that the image gets."""
    for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE):
        *sources, _ = line.split()
        for source in sources:
            yield from ROOT.glob(source) if "*" in source else [ROOT / source]


def modules() -> Iterator[Path]:
    """Every Python file among them."""
    for each in copied():
        yield from each.rglob("*.py") if each.is_dir() else [each] if each.suffix == ".py" else []


def test_it_is_built_in_two_stages_from_one_pinned_image() -> None:
    assert re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE) == ["${PYTHON_IMAGE}@${PYTHON_DIGEST}"] * 2
    final = DOCKERFILE.rpartition("FROM ")[2]
    assert "RUN" not in final
    assert "pip" not in final


def test_it_does_not_run_as_root() -> None:
    (user,) = re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE)
    assert all(int(part) > 0 for part in user.split(":"))


def test_what_is_installed_is_what_is_locked_for_everybody() -> None:
    assert "--require-hashes" in DOCKERFILE
    assert "--only-binary :all:" in DOCKERFILE
    own = set(PIN.findall((ROOT / "matcher" / "requirements.txt").read_text()))
    assert own
    assert own <= set(PIN.findall((ROOT / "requirements.lock").read_text()))


def test_everything_that_is_copied_exists() -> None:
    assert [str(each) for each in copied() if not each.exists()] == []


def test_every_module_of_ours_that_the_image_imports_is_in_it() -> None:
    present = set(modules())
    missing = set()
    for path in present:
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            missing |= {f"{path.name}: {name}" for name in names if (found := _file(name)) and found not in present}
    assert missing == set()


def _file(name: str) -> Path | None:
    package, *inner = name.split(".")
    if package not in PACKAGES:
        return None
    folder = ROOT.joinpath(PACKAGES[package], *inner)
    return next((each for each in (folder.with_suffix(".py"), folder / "__init__.py") if each.exists()), None)


def test_the_task_runs_it_on_a_file_system_that_takes_no_writes() -> None:
    (task,) = of_type(template("infra/matcher.yaml"), "AWS::ECS::TaskDefinition").values()
    (container,) = task["ContainerDefinitions"]
    assert container["ReadonlyRootFilesystem"] is True


@pytest.mark.timeout(900)
def test_the_image_builds_and_refuses_to_start_without_its_settings_by_name() -> None:
    docker = shutil.which("docker") or shutil.which("podman")
    if docker is None or subprocess.run([docker, "info"], capture_output=True, check=False, timeout=30).returncode:
        pytest.skip("no container runtime answers here")
    image, tag = "python:3.13-slim", "venue-matcher:test"
    subprocess.run([docker, "pull", image], check=True, capture_output=True)
    seen = [docker, "image", "inspect", image, "--format", "{{index .RepoDigests 0}}"]
    digest = subprocess.run(seen, check=True, capture_output=True, text=True).stdout.strip().rpartition("@")[2]
    build = [docker, "build", "-f", "matcher/Dockerfile", "--build-arg", f"PYTHON_DIGEST={digest}", "-t", tag, "."]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    run = [docker, "run", "--rm", "--read-only", "--network", "none", "--cap-drop", "ALL", tag]
    who = subprocess.run(
        [*run, "python", "-c", "import os; print(os.getuid())"], capture_output=True, text=True, check=True
    )
    assert who.stdout.strip() == "65532"
    write = subprocess.run([*run, "python", "-c", "open('/app/x', 'w')"], capture_output=True, text=True, check=False)
    assert "Read-only file system" in write.stderr
    bare = subprocess.run(run, capture_output=True, text=True, check=False)
    assert bare.returncode != 0
    assert "PGHOST" in bare.stdout + bare.stderr
