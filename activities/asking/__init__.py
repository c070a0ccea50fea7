"""Asks models: pays, keeps to rates, leaves alone who is unwell, and turns to another model where that is allowed."""

from activities.asking.breaker import Breaker, Breakers
from activities.asking.desk import Asking, Declined, Desk, Served
from activities.asking.rates import Rates, read_rates

__all__ = ["Asking", "Breaker", "Breakers", "Declined", "Desk", "Rates", "Served", "read_rates"]
