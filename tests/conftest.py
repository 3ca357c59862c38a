"""What every test stands on: Hypothesis profiles, one local Ray a session, the shared market data."""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parents[1]

# Before any test module imports Ray, which reads these once. A token of our own, so that no test reads
# or changes the one in the home folder; a desk started as a subprocess inherits it.
os.environ["RAY_AUTH_MODE"] = "token"
os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
# As the command line does, before NumPy is loaded: two threads that wait for each other are slower than one.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Ray's workers inherit the environment: with compiled files they start several times faster.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# No deadlines: this machine may be busy, and a slow example is not a wrong one.
# How fast examples are drawn says more about the machine than about us.
_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("dev", _PATIENT, max_examples=25)
settings.register_profile("ci", _PATIENT, max_examples=100, derandomize=True, print_blob=True)
settings.register_profile("nightly", _PATIENT, max_examples=5_000, print_blob=True)
settings.load_profile(os.environ.get("TG_HYPOTHESIS") or ("ci" if os.environ.get("CI") else "dev"))


#: Rooms of the tests that may not start Ray.
PURE = ("unit", "property")


def _room(path: Path) -> str:
    return path.relative_to(ROOT / "tests").parts[0]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the pure tests first: they fail fastest, and find no running Ray to use by mistake."""
    items.sort(key=lambda item: _room(item.path) not in PURE)


@pytest.fixture(scope="module", autouse=True)
def _pure_tests_start_no_ray(request: pytest.FixtureRequest) -> Iterator[None]:
    """Refuse Ray in tests/unit and tests/property, also when Ray would start by itself at a first call."""
    if _room(request.path) not in PURE:
        yield
        return
    import ray

    def refuse(*_: object, **__: object) -> None:
        pytest.fail(f"{request.path.name} started Ray: such a test belongs to tests/integration")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ray, "init", refuse)
        yield


@pytest.fixture(scope="session")
def local_ray() -> Iterator[str]:
    """Start a new local Ray, shared by the session; the address of its GCS. Mark such tests ``ray``."""
    import ray

    # Ray's sockets lie in here and a socket's path holds 107 bytes: pytest's own folders are too long.
    folder = tempfile.mkdtemp(prefix="tgray", dir="/tmp")
    with pytest.MonkeyPatch.context() as patch:
        # Workers import actor classes that tests define.
        patch.setenv("PYTHONPATH", str(ROOT))
        ray.init(
            address="local",
            num_cpus=4,
            object_store_memory=256 * 1024 * 1024,
            include_dashboard=False,
            log_to_driver=False,
            _temp_dir=folder,
        )
        try:
            yield str(ray.get_runtime_context().gcs_address)
        finally:
            ray.shutdown()
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Return the recorded market data beside the repository; skip without it. Mark such tests ``data``."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no recorded market data in {folder}")
    return folder
