"""How fast it is, beside what it could be: each row of the table in README.md is a module here."""
