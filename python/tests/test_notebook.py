"""The notebook in docs/ runs from top to bottom. Needs matplotlib."""

import json
import pathlib

import pytest

NOTEBOOK = pathlib.Path(__file__).parents[2] / "docs/python.ipynb"


def test_the_notebook_runs():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    notebook = json.loads(NOTEBOOK.read_text())
    names = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), str(NOTEBOOK), "exec"), names)
    assert len(names["song"].notes) > 20
    image, marks = names["axis"].images, names["lanes"].collections
    assert len(image) == 1 and len(marks) == len(names["classes"])
