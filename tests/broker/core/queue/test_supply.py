from tapemq_broker.core.queue.frontier import Frontier
from tapemq_broker.core.queue.lanes import Lanes
from tapemq_broker.core.queue.supply import Portion, Supply


def test_both_ways_to_choose_records_are_supplies() -> None:
    wanted = {name for name in vars(Supply) if not name.startswith("_")}
    assert wanted <= vars(Frontier).keys()
    assert wanted <= vars(Lanes).keys()


def test_a_portion_has_nothing_against_it_unless_said() -> None:
    assert Portion([(1, 2)])[1:] == (False, 0, 0, 0, False)
