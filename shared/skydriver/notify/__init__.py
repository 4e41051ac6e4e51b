"""How notifications go out: webhooks, Slack and e-mail, and what may be called. It knows no database."""
