"""Uses the private package."""

from acme_greetings import greet

print(greet("world"))
