"""What users do with subscriptions, and what their receivers say: an action a module."""
