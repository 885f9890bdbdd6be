"""Writes the shell scripts of composite actions to files of their own: run_blocks.py FOLDER ACTION..."""

import pathlib
import sys

from ruamel.yaml import YAML

folder = pathlib.Path(sys.argv[1])
folder.mkdir(exist_ok=True)
for stale in folder.iterdir():
    stale.unlink()
for name in sys.argv[2:]:
    steps = YAML(typ="safe").load(pathlib.Path(name))["runs"].get("steps", [])
    for number, step in enumerate(steps, 1):
        if "run" not in step or step["shell"] not in ("sh", "bash"):
            continue
        # The runner calls `sh -e` and `bash -eo pipefail`.
        script = f"#!/bin/{step['shell']}\nset -e\n{step['run']}\n"
        (folder / f"{name.replace('/', '-')}.{number}.sh").write_text(script)
