"""Packs a user's directory into one JSON text, runs of zeros left out.

    pack.py DIRECTORY ANSWERS.json > packed.json

ANSWERS.json holds what the node that wrote the directory answered at the end. The node
that reads the packed directory in `tests/` must answer the same.
"""

import base64
import json
import pathlib
import re
import sys

directory, answers = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
files = {}
for path in sorted(directory.rglob("*")):
    if not path.is_file():
        continue
    content = path.read_bytes()
    parts = [
        [run.start(), base64.b64encode(run.group()).decode()]
        for run in re.finditer(rb"[^\0](?:(?!\0{64}).)*", content, re.DOTALL)
    ]
    files[str(path.relative_to(directory))] = {
        "mode": path.stat().st_mode & 0o777,
        "size": len(content),
        "parts": parts,
    }
json.dump({"answers": json.loads(answers.read_text()), "files": files}, sys.stdout, indent=1)
print()
