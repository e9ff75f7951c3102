"""Tab in a real kernel: what a front end is offered, and the cell that taking it leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kernel.cells import LINE, PAIR, SAVE_TO_DISK, SCALE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kernel.harness import Kernel

pytestmark = pytest.mark.kernel

NAMES = """
import numpy as np, pandas as pd
batch = np.ones((2, 2))
block = {"first": batch, "second": batch}
frame = pd.DataFrame({"width": [1.0], "height": [2.0]})
class Net: pass
net = Net()
net.layers_of_the_notebook = 1
"""
OURS = """
[getattr(one, "matcher_identifier", one) for one in get_ipython().Completer.custom_matchers]
"""
FORMS = ["%tf_run ", "%%tf_run ", "r = %tf_run ", "    %tf_run ", "tf_run ", "%time %tf_run "]


@pytest.fixture(params=["jedi", "no jedi"])
def kernel(kernel: Kernel, request: pytest.FixtureRequest) -> Iterator[Kernel]:
    """A kernel with the models ``line``, ``pair`` and ``scales``, and with Jedi on and off."""
    kernel.ok(LINE)
    kernel.ok(PAIR)
    # Writing the files takes most of the time, and they stay in the kernel's folder.
    kernel.ok(SCALE if (kernel.folder / "scales").exists() else f"{SAVE_TO_DISK}\ndel graph, x")
    kernel.ok("%tf_model add scales scales")
    kernel.ok(NAMES)
    kernel.ok(f"%config IPCompleter.use_jedi = {request.param == 'jedi'}")
    yield kernel
    kernel.ok("%config IPCompleter.use_jedi = True")


def offered(kernel: Kernel, cell: str) -> list[str]:
    """Return the last line after each offer was taken."""
    tab = kernel.complete(cell)
    assert tab.printed == ""
    return [cell.rsplit("\n", maxsplit=1)[-1] for cell in tab.cells]


def test_verbs_models_and_paths(kernel: Kernel) -> None:
    verbs = ["%tf_model " + verb for verb in ("list", "add", "show")]
    first = offered(kernel, "%tf_model ")
    assert first[:3] == verbs
    assert first[-3:] == ["%tf_model line", "%tf_model pair", "%tf_model scales"]
    assert offered(kernel, "%tf_model l") == ["%tf_model list", "%tf_model line"]
    assert offered(kernel, "r = %tf_model dr") == ["r = %tf_model drop"]
    assert offered(kernel, "%tf_model drop line p") == ["%tf_model drop line pair"]
    assert offered(kernel, "%tf_model drop <Tab> pair") == ["%tf_model drop line pair", "%tf_model drop scales pair"]
    assert offered(kernel, "%tf_model show sc") == ["%tf_model show scales", "%tf_model show scales/"]
    assert offered(kernel, "%tf_model show scales/1") == ["%tf_model show scales/1/", "%tf_model show scales/10/"]
    assert offered(kernel, "%tf_model save line sc") == ["%tf_model save line scales/"]
    assert offered(kernel, "%tf_model stop pa") == ["%tf_model stop pair"]
    assert offered(kernel, '%tf_model add m "pl') == ['%tf_model add m "plus.pb']
    assert offered(kernel, "%%tf_model ") == ["%%tf_model line", "%%tf_model pair"]
    assert offered(kernel, "%%tf_model line\nx = tf.Vari")[:1] == ["x = tf.Variable"]


def test_options_and_their_values(kernel: Kernel) -> None:
    assert offered(kernel, "%tf_model drop --") == ["%tf_model drop --all"]
    assert offered(kernel, "%tf_model add m plus.pb --la") == ["%tf_model add m plus.pb --lazy"]
    assert offered(kernel, "%%tf_model line --inp") == ["%%tf_model line --inputs"]
    assert offered(kernel, "%tf_run line --si") == ["%tf_run line --signature"]
    assert offered(kernel, "%tf_run scales --signature ha") == ["%tf_run scales --signature halves"]
    assert offered(kernel, "r = %tf_run scales --signature=s") == ["r = %tf_run scales --signature=serving_default"]
    assert offered(kernel, "%tf_model add m scales --signature h") == ["%tf_model add m scales --signature halves"]
    assert offered(kernel, "%tf_model add m scales --tags ") == ["%tf_model add m scales --tags serve"]
    assert offered(kernel, "%tf_model add m scales --device g") == ["%tf_model add m scales --device gpu"]
    assert offered(kernel, "%tf_model add line x --inputs a=m") == [
        "%tf_model add line x --inputs a=mul/ReadVariableOp",
        "%tf_model add line x --inputs a=mul",
    ]


def test_sources_are_objects_and_paths(kernel: Kernel) -> None:
    kernel.ok("import os\nos.makedirs('mod els', exist_ok=True)\nmodule = tf.Module()\nmodulus = 3")
    assert offered(kernel, "%tf_model add m mod") == ["%tf_model add m module", '%tf_model add m "mod els/']
    assert offered(kernel, "%tf_model add m 'mod") == ["%tf_model add m 'mod els/"]
    assert offered(kernel, "%tf_model add m ./pl") == ["%tf_model add m ./plus.pb"]
    assert offered(kernel, "%tf_model add m (modul") == ["%tf_model add m (module", "%tf_model add m (modulus"]


def test_models_and_inputs_in_every_form(kernel: Kernel) -> None:
    for form in FORMS:
        assert offered(kernel, form) == [form + "line", form + "pair", form + "scales"]
        assert offered(kernel, form + "p") == [form + "pair"]
        assert offered(kernel, form + "pair --") == [
            form + "pair " + option for option in kernel.complete("%tf_run pair --").matches if "%%" not in form
        ]
        if "%%" not in form:
            assert offered(kernel, form + "line,p") == [form + "line,pair"]
            assert offered(kernel, form + "pair ")[:2] == [form + "pair a=", form + "pair b="]
            assert offered(kernel, form + "pair a=batch ") == [form + "pair a=batch b="]
            assert offered(kernel, form + "pair a=bat") == [form + "pair a=batch"]


def test_expressions_see_the_notebook(kernel: Kernel) -> None:
    assert offered(kernel, "%tf_run line bat") == ["%tf_run line batch"]
    assert offered(kernel, "%tf_run line x=") == [
        "%tf_run line x=" + name
        for name in ("tf", "Scale", "save", "np", "pd", "batch", "block", "frame", "Net", "net")
    ]
    assert offered(kernel, "%tf_run line x=frame.wid") == ["%tf_run line x=frame.width"]
    assert offered(kernel, "%tf_run line x=frame['") == ["%tf_run line x=frame['height", "%tf_run line x=frame['width"]
    assert offered(kernel, "%tf_run line x=frame['w<Tab>'].values") == ["%tf_run line x=frame['width'].values"]
    assert offered(kernel, "%tf_run line **blo") == ["%tf_run line **block"]
    assert offered(kernel, "%tf_run line x=np.linsp") == ["%tf_run line x=np.linspace"]
    assert offered(kernel, "for i in range(3):\n    r = %tf_run line x=bat") == ["    r = %tf_run line x=batch"]
    assert offered(kernel, "%tf_run line \\\n  x=bat") == ["  x=batch"]
    assert offered(kernel, "%tf_run line np.load('pl") == ["%tf_run line np.load('plus.pb"]


def test_fetches_and_what_is_sent_out(kernel: Kernel) -> None:
    assert offered(kernel, "%tf_run pair --fetch ")[:2] == ["%tf_run pair --fetch total", "%tf_run pair --fetch gap"]
    assert offered(kernel, "%tf_run pair --fetch total,g") == ["%tf_run pair --fetch total,gap"]
    assert offered(kernel, "%tf_run line --fetch y,mul/") == ["%tf_run line --fetch y,mul/ReadVariableOp"]
    assert offered(kernel, "%tf_run scales --signature halves --fetch hi") == [
        "%tf_run scales --signature halves --fetch high"
    ]
    assert offered(kernel, "%tf_run pair a=batch b=batch -o bl") == ["%tf_run pair a=batch b=batch -o block"]
    assert offered(kernel, "%tf_run pair a=batch b=batch -o mine=g") == ["%tf_run pair a=batch b=batch -o mine=gap"]
    assert offered(kernel, "%tf_run line -o w") == ["%tf_run line -o w"]
    assert offered(kernel, "%tf_run line -o weight=") == ["%tf_run line -o weight=" + name for name in ("y", "x", "w")]
    assert offered(kernel, "%%tf_run line -o weight=w") == ["%%tf_run line -o weight=w"]


def test_a_rooms_cell_is_offered_the_rooms_names(kernel: Kernel) -> None:
    kernel.ok("%%tf_run line\nclass Net: pass\nnet = Net()\nnet.layers_of_the_room = 1\nown_name = 1")
    assert offered(kernel, "%%tf_run line\nown_n") == ["own_name"]
    assert offered(kernel, "%%tf_run line\nnet.lay") == ["net.layers_of_the_room"]
    assert offered(kernel, "%%tf_run pair\nnet.lay") == ["net.layers_of_the_notebook"]
    assert offered(kernel, "net.lay") == ["net.layers_of_the_notebook"]
    assert offered(kernel, "%%tf_run line -o r\nfor i in bat") == ["for i in batch"]
    assert offered(kernel, "%%tf_run line\nsess") == ["session"]
    assert offered(kernel, "%%tf_run line\nwhil") == ["while"]
    assert offered(kernel, "%%tf_run line\n\n%tf_run pa") == ["%tf_run pair"]
    assert offered(kernel, "%%tf_run line\nr = %tf_run pair a=own") == ["r = %tf_run pair a=own_name"]
    assert offered(kernel, "%%tf_run line\n%cd -q sca") == ["%cd -q scales/"]


def test_nothing_irrelevant_is_mixed_in(kernel: Kernel) -> None:
    kernel.ok("open('linear.txt', 'w').close()\nlinear = 3")
    assert offered(kernel, "%tf_run li") == ["%tf_run line"]
    assert offered(kernel, "%tf_run nothing_lik") == []
    assert offered(kernel, "%tf_model add ") == []
    assert offered(kernel, "%tf_model drop li") == ["%tf_model drop line"]
    assert offered(kernel, "%tf_run line --batch_s") == []
    assert offered(kernel, "%tf_run line x=1  # li") == []
    assert "linear" in offered(kernel, "lin")
    assert "%tf_run" in kernel.complete("%tf_r").matches


def test_tab_prints_nothing_and_changes_nothing(kernel: Kernel) -> None:
    kernel.ok("import tfmagic\nnames = set(globals())")
    calls = kernel.value("tfmagic.models.line.record()['calls']")
    for cell in (
        "%tf_run line ",
        "%tf_run line x=frame.",
        "%%tf_run line\n\n\n    ",
        "%tf_model add m ",
        "%tf_run line [",
    ):
        assert kernel.complete(cell).printed == ""
    assert kernel.value("{name for name in set(globals()) - names if not name.startswith('_')}") == "{'names'}"
    assert kernel.value("tfmagic.models.line.record()['calls']") == calls


def test_the_types_are_told(kernel: Kernel) -> None:
    assert set(kernel.complete("%tf_run ").types) == {"model"}
    assert kernel.complete("%tf_run line ").types[0] == "input"
    assert kernel.complete("%tf_run line --").types[0] == "option"
    assert kernel.complete("%tf_model add m ./").types[0] == "path"


def test_unloading_takes_it_away_and_reloading_doubles_nothing(kernel: Kernel) -> None:
    assert kernel.value(OURS) == "['tfmagic']"
    kernel.ok("%reload_ext tfmagic\n%reload_ext tfmagic")
    assert kernel.value(OURS) == "['tfmagic']"
    assert offered(kernel, "%tf_run li") == ["%tf_run line"]
    kernel.ok("%unload_ext tfmagic")
    assert kernel.value(OURS) == "[]"
    assert "%tf_run line" not in offered(kernel, "%tf_run li")


def test_tab_works_while_a_model_is_lazy_running_or_gone(kernel: Kernel) -> None:
    kernel.ok("%tf_model add later plus.pb --lazy")
    assert offered(kernel, "%tf_run lat") == ["%tf_run later"]
    assert offered(kernel, "%tf_run later bat") == ["%tf_run later batch"]
    assert kernel.value("__import__('tfmagic').models.later.state") == "'parked'"
    kernel.ok("%tf_model drop later")
    assert offered(kernel, "%tf_run lat") == []
    assert offered(kernel, "%tf_run later bat") == ["%tf_run later batch"]
