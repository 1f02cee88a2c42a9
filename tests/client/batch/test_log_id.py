from tapemq.batch import LogId, Role


def test_text_names_topic_partition_and_role() -> None:
    assert str(LogId(0x5EED, 3, Role.GROUPS)) == "0000000000005eed/3/groups"


def test_roles_have_the_numbers_of_the_specification() -> None:
    assert [role.name.lower() for role in sorted(Role)] == ["data", "groups", "schedule", "catalog"]
    assert list(map(int, sorted(Role))) == [0, 1, 2, 3]
