"""The actions of users and receivers on subscriptions, one module each."""
