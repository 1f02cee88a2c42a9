from tapemq_broker.core.generations import GENERATIONS_PER_BOOT, Generations


def test_generations_rise_and_never_come_back() -> None:
    first, second = Generations(1), Generations(2)
    numbers = [first.next(), first.next(), second.next()]
    assert numbers == [GENERATIONS_PER_BOOT + 1, GENERATIONS_PER_BOOT + 2, second.next() - 1]
    assert numbers == sorted(set(numbers))
