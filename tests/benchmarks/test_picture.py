import pytest

from benchmarks.picture import label


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.3456, "0.35"),
        (6.789, "6.79"),
        (345.6, "346"),
        (4_700.0, "4.7k"),
        (123_456.0, "123k"),
        (1_234_567.0, "1.23M"),
    ],
)
def test_label(value: float, text: str) -> None:
    assert label(value) == text
