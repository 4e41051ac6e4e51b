"""Sends notifications to webhooks, Slack and e-mail, and checks their addresses. It knows no database."""
