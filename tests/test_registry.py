"""The folder is the registry: a file put there is found, by name, and only when asked for."""

import subprocess
import sys

import pytest

from recurra.errors import UnknownNameError
from recurra.registry import Registry


class Thing:
    pass


@pytest.fixture
def things(tmp_path, monkeypatch):
    folder = tmp_path / "things_for_test"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "base.py").write_text("raise AssertionError('base is not listed')")
    (folder / "_private.py").write_text("raise AssertionError('private files are not listed')")
    (folder / "first_thing.py").write_text("from test_registry import Thing\nfirst = Thing()\n_other = Thing()\n")
    (folder / "second.py").write_text("from test_registry import Thing\nclass Second(Thing):\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "test_registry", sys.modules[__name__])
    yield Registry("things_for_test", Thing, "thing")
    for name in [m for m in sys.modules if m.startswith("things_for_test")]:
        del sys.modules[name]


def test_names_are_file_names_and_listing_imports_nothing(things):
    assert things.names() == ["first-thing", "second"]
    assert "things_for_test.second" not in sys.modules


def test_objects_and_classes_are_found(things):
    assert isinstance(things.get("first-thing"), Thing)
    assert things.get("first_thing") is things.get("first-thing")
    assert issubclass(things.get("second"), Thing)
    assert list(things.all()) == ["first-thing", "second"]


def test_an_unknown_name_names_its_neighbour(things):
    with pytest.raises(UnknownNameError, match="unknown thing 'secund': did you mean 'second'"):
        things.get("secund")
    with pytest.raises(UnknownNameError, match="choose from first-thing, second"):
        things.get("xyz")


def test_importing_the_package_does_not_import_torch():
    code = "import sys, recurra, recurra.errors, recurra.registry, recurra.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
