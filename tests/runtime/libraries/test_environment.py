"""Environment settings that decide what is loaded, and what was found through each."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest
from custom_op_library import build_plain
from factories import printed

from tfmagic.runtime.libraries.environment import environment_at_start, settings

if TYPE_CHECKING:
    from pathlib import Path


def told(name: str, *loaded: str) -> Any:
    return next((one for one in settings(loaded) if one["name"] == name), None)


def test_settings_that_are_set_are_listed_with_their_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_XLA_FLAGS", "--tf_xla_auto_jit=2")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    assert told("TF_XLA_FLAGS")["value"] == "--tf_xla_auto_jit=2"
    assert told("CUDA_VISIBLE_DEVICES")["value"] == ""
    assert told("XLA_FLAGS") is None


@pytest.mark.parametrize("name", ["TF_VAR_db_password", "TF_TOKEN_app_terraform_io", "TF_CLI_CONFIG_FILE", "TF_LOG"])
def test_variables_of_terraform_are_not_tensorflow_s(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "swordfish")
    assert "swordfish" not in json.dumps(settings())


@pytest.mark.parametrize("name", ["TF_MY_TOKEN", "TF_API_KEY", "TF_DB_PASSWORD"])
def test_value_of_a_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "swordfish")
    assert told(name)["value"] == "(not shown)"
    assert "swordfish" not in json.dumps(settings())


def test_folder_of_cuda_tells_which_libraries_are_below_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    inside, outside = str(tmp_path / "cuda" / "lib64" / "libcudart.so.12"), str(tmp_path / "cuda2" / "libcudart.so.12")
    monkeypatch.setenv("CUDA_HOME", str(tmp_path / "cuda"))
    monkeypatch.setenv("XLA_FLAGS", f"--xla_dump_to=/x --xla_gpu_cuda_data_dir={tmp_path / 'cuda2'}")
    assert told("CUDA_HOME", inside, outside)["libraries"] == [inside]
    assert told("XLA_FLAGS", inside, outside)["libraries"] == [outside]


@pytest.mark.skipif(sys.platform != "linux", reason="the variables are those of Linux's loader")
def test_library_found_through_a_setting_is_told_with_it(tmp_path: Path) -> None:
    found, preloaded = (build_plain(tmp_path, name, "int one = 1;") for name in ("libfound", "libpreloaded"))
    (tmp_path / "elsewhere").mkdir()
    preloaded = preloaded.rename(tmp_path / "elsewhere" / preloaded.name)
    code = """
        import ctypes, json, os
        from tfmagic.runtime.libraries.timeline import libraries
        from tfmagic.runtime.custom_ops.libraries_report import libraries_record
        ctypes.CDLL("libfound.so")
        os.environ["LD_LIBRARY_PATH"] = "/somewhere/else"
        print(json.dumps({one["name"]: one for one in libraries_record()["settings"]}))
    """
    path = os.pathsep.join(["/not/there", str(tmp_path)])
    told = json.loads(printed(code, LD_LIBRARY_PATH=path, LD_PRELOAD=str(preloaded))[-1])
    assert told["LD_LIBRARY_PATH"]["libraries"] == [str(found)]
    assert told["LD_LIBRARY_PATH"]["value"] == "/somewhere/else"
    assert told["LD_LIBRARY_PATH"]["at_start"] == path
    assert told["LD_PRELOAD"]["libraries"] == [str(preloaded)]
    assert told["LD_PRELOAD"]["at_start"] is None


@pytest.mark.skipif(sys.platform != "linux", reason="Linux keeps it")
def test_environment_at_start_is_what_the_process_was_given() -> None:
    assert printed("""
        import os
        from tfmagic.runtime.libraries.environment import environment_at_start
        os.environ["CUDA_HOME"] = "changed"
        print(environment_at_start()["CUDA_HOME"])
    """, CUDA_HOME="/given") == ["/given"]  # fmt: skip
    assert environment_at_start() is not None
