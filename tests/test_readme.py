"""The README's example runs as it is printed, against a broker of the test's own."""

import re
from pathlib import Path

import pytest

from tests.support.running_server import running_server

README = Path(__file__).parent.parent / "README.md"


async def test_the_example_publishes_and_reads(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(example.splitlines()) <= 23
    async with running_server() as server:
        program = example.replace("localhost:7077", f"127.0.0.1:{server.port}")
        program = program.replace("asyncio.run(main())", "")
        names: dict[str, object] = {}
        exec(compile(program, str(README), "exec"), names)
        await names["main"]()  # type: ignore[operator]
    printed = capsys.readouterr().out.splitlines()
    assert printed == [
        "on disk at offset 0",
        "0 b'eu.42' b'two apples'",
        "1 b'two apples'",
    ]


def test_the_commands_are_the_makefiles() -> None:
    makefile = (README.parent / "Makefile").read_text()
    for command in re.findall(r"make (\w+)", README.read_text()):
        assert re.search(rf"^{command}:", makefile, re.MULTILINE), command
