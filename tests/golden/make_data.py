"""Makes the golden data directories anew: `python tests/golden/make_data.py`, from the root.

Only where the format has got a new version: then into a directory of the new number, beside the
older ones, which stay.
"""

import asyncio
import json
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.support.golden_directory.contents import GOLDEN
from tests.support.golden_directory.writing import write_clean, write_crashed


async def main() -> None:
    """Write both, and what is in them."""
    with TemporaryDirectory() as folder:
        made = Path(folder, "data")
        _keep("clean", made, await write_clean(made))
        _keep("crashed", made, await write_crashed(made))


def _keep(name: str, made: Path, contents: dict[str, object]) -> None:
    shutil.rmtree(GOLDEN / name, ignore_errors=True)
    # The index of schedules is a cache: what a crash left of it says nothing about the format.
    caches = ["schedules.index*"] if name == "crashed" else []
    shutil.copytree(made, GOLDEN / name, ignore=shutil.ignore_patterns("LOCK", *caches))
    topics = (f"{json.dumps(topic)}: {json.dumps(of)}" for topic, of in contents.items())
    (GOLDEN / f"{name}.json").write_text("{" + ",\n".join(topics) + "}\n")


if __name__ == "__main__":
    asyncio.run(main())
