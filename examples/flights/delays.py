"""Departures and mean delays by carrier: the figures that the example computes twice."""

from collections.abc import Iterable
from dataclasses import dataclass

from dataset import Flight


@dataclass
class Delays:
    """Sums of one carrier. They are whole numbers, so two ways to add them must agree exactly."""

    flights: int = 0
    departures: int = 0
    departure_delays: int = 0
    departure_delay_min: int = 0
    arrival_delays: int = 0
    arrival_delay_min: int = 0

    def add(self, flight: Flight) -> None:
        """Count a flight."""
        self.flights += 1
        self.departures += flight.departed
        if flight.departure_delay_min is not None:
            self.departure_delays += 1
            self.departure_delay_min += flight.departure_delay_min
        if flight.arrival_delay_min is not None:
            self.arrival_delays += 1
            self.arrival_delay_min += flight.arrival_delay_min

    @property
    def mean_departure_delay_min(self) -> float:
        """Minutes; 0 if no delay is known."""
        return self.departure_delay_min / (self.departure_delays or 1)

    @property
    def mean_arrival_delay_min(self) -> float:
        """Minutes; 0 if no delay is known."""
        return self.arrival_delay_min / (self.arrival_delays or 1)


class DelayTable:
    """Delays by carrier."""

    def __init__(self, flights: Iterable[Flight] = ()) -> None:
        self.by_carrier: dict[str, Delays] = {}
        for flight in flights:
            self.add(flight)

    def add(self, flight: Flight) -> None:
        """Count a flight."""
        delays = self.by_carrier.get(flight.carrier)
        if delays is None:
            delays = self.by_carrier[flight.carrier] = Delays()
        delays.add(flight)
