"""One function a REST route, one a lifecycle step, one on a schedule."""
