"""What the tests of loading share: a small prepared data set."""

import pytest
from support.prepared import prepared_folder

from cdkd.data.manifest import Manifest


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CDKD_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return prepared_folder(tmp_path_factory.mktemp("prepared") / "set", num_train=5, num_test=2)
