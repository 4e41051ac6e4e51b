"""Paths of a scan's products: to this scan, hidden or replaced."""

from skydriver.model.product_paths import product_path


def test_a_product_of_a_scan_that_is_shown_needs_no_arguments() -> None:
    assert product_path("5d2e", "skymap.fits") == "/scan/5d2e/skymap.fits"
    assert product_path("5d2e", "moc", format="fits") == "/scan/5d2e/moc?format=fits"


def test_products_of_a_hidden_scan_are_asked_for_as_such() -> None:
    hidden = product_path("5d2e", "skymap.png", include_deleted=True, view="full")
    assert hidden == "/scan/5d2e/skymap.png?view=full&include_deleted=true"


def test_the_result_is_never_that_of_the_scan_in_its_place() -> None:
    assert product_path("5d2e", "result") == "/scan/5d2e/result?no_redirect=true"
    hidden = product_path("5d2e", "result", include_deleted=True)
    assert hidden == "/scan/5d2e/result?include_deleted=true&no_redirect=true"
