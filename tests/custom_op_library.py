"""A small custom op library, compiled as TensorFlow's guide says, and others that differ from it."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

CHECKOUT = Path(__file__).resolve().parents[1]
CODE = """
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"

REGISTER_OP("TfmagicTwice").Input("x: float").Output("y: float").SetShapeFn(
    [](tensorflow::shape_inference::InferenceContext* c) {
      c->set_output(0, c->input(0));
      return absl::OkStatus();
    });

class Twice : public tensorflow::OpKernel {
 public:
  using OpKernel::OpKernel;
  void Compute(tensorflow::OpKernelContext* c) override {
    const tensorflow::Tensor& x = c->input(0);
    tensorflow::Tensor* y = nullptr;
    OP_REQUIRES_OK(c, c->allocate_output(0, x.shape(), &y));
    auto from = x.flat<float>();
    auto to = y->flat<float>();
    for (int i = 0; i < from.size(); i++) to(i) = 2 * from(i);
  }
};
extern "C" __attribute__((visibility("hidden"))) const char* const tfmagic_device;
REGISTER_KERNEL_BUILDER(Name("TfmagicTwice").Device(tfmagic_device), Twice);
"""
DEVICE = 'extern "C" __attribute__((visibility("hidden"))) const char* const tfmagic_device = "{device}";\n'


def compiler() -> str:
    found = shutil.which("g++")
    if found is None:
        pytest.skip("there is no g++ to compile a custom op with")
    return found


def build_ops(folder: Path) -> Path:
    """Put into `folder` what the first who asks has compiled, for all workers and for later runs.

    TensorFlow's headers take a compiler half a minute.
    """
    what = CODE + DEVICE + tf.__version__ + sys.version + " ".join(tf.sysconfig.get_compile_flags())
    shared = CHECKOUT / "build" / "ops" / hashlib.sha256(what.encode()).hexdigest()[:16]
    shared.mkdir(parents=True, exist_ok=True)
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "complete").exists():
            _compile(shared)
            (shared / "complete").touch()
    for built in (*shared.glob("*.so"), *shared.glob("*.o")):
        shutil.copy(built, folder)
    return folder


def _compile(folder: Path) -> None:
    """Build in `folder`: ``twice.so``, ``rebuilt.so`` of the same op, ``gpu.so`` with its kernel for another device."""
    run = compiler()
    (folder / "twice.cc").write_text(CODE)
    (folder / "build.cc").write_text('extern "C" { int tfmagic_second_build = 2; }\n')
    flags = [*tf.sysconfig.get_compile_flags(), "-O0", "-w", "-fPIC", "-c"]
    subprocess.run([run, *flags, "twice.cc", "-o", "twice.o"], cwd=folder, check=True, timeout=240)  # noqa: S603 - the test's own compiler
    for device in ("CPU", "GPU"):
        (folder / f"{device}.cc").write_text(DEVICE.format(device=device))
    link(folder, "twice.so", "twice.o", "CPU.cc")
    link(folder, "rebuilt.so", "twice.o", "CPU.cc", "build.cc")
    link(folder, "gpu.so", "twice.o", "GPU.cc")


def link(folder: Path, name: str, *parts: str) -> Path:
    command = [compiler(), "-shared", "-fPIC", *parts, "-o", name, *tf.sysconfig.get_link_flags()]
    subprocess.run(command, cwd=folder, check=True, timeout=240)  # noqa: S603 - as above
    return folder / name


def build_plain(folder: Path, name: str, code: str) -> Path:
    """Build a shared object of a few lines that has nothing to do with TensorFlow."""
    (folder / f"{name}.cc").write_text(code)
    command = [compiler(), "-shared", "-fPIC", f"{name}.cc", "-o", f"{name}.so"]
    subprocess.run(command, cwd=folder, check=True, timeout=240)  # noqa: S603 - as above
    return folder / f"{name}.so"
