"""The secrets of this function: only those that its file in `knative/` mounts."""

from pydantic import SecretStr

from skydriver.errors import NotConfigured
from skydriver.settings import settings


def secret(name: str) -> str:
    """Return a secret that this function needs.

    Args:
        name: the field of the settings, such as `mongodb_uri`.

    Raises:
        NotConfigured: this function does not have it.
    """
    value: SecretStr | None = getattr(settings(), name)
    if value is None or not value.get_secret_value():
        raise NotConfigured(name.upper())
    return value.get_secret_value()
