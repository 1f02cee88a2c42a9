"""Changes of the core, carried out as on a disk with room."""

from tapemq_broker.core.effects import Change, Effects


def carried_out(effects: Effects) -> Effects:
    """The effects with what changes consist of and lead to in their place."""
    flat: Effects = []
    for effect in effects:
        if isinstance(effect, Change):
            flat += [*effect.puts, *carried_out(effect.then())]
        else:
            flat.append(effect)
    return flat
