"""How much a rollout costs: light stand-ins for every system that count what they are asked."""
