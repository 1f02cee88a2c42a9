from tapemq_broker.core.queue.trouble import Place, Trouble, shortened


def test_what_is_written_comes_back() -> None:
    trouble = Trouble(1, 2, 3, 4, 5, 6, "reason", "error", Place.LEASED, 7)
    loaded = Trouble.decode(trouble.encode())
    assert loaded.encode() == trouble.encode()
    assert (loaded.place, loaded.deliveries) == (Place.WITHHELD, 0)
    assert loaded.counts == (1, 2, 0, True)


def test_texts_are_cut_between_characters() -> None:
    assert shortened("abc", 10) == "abc"
    assert shortened("aäöü", 4) == "aä"
    assert shortened("a\udc80", 9) == "a?"
