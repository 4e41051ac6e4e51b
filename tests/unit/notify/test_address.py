"""Which addresses are on the public Internet, in all forms of an address."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skydriver.notify.address import is_public

V4 = st.ip_addresses(v=4)


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "93.184.216.34",
        "2606:4700::1111",
        "2a00:1450:4001::1",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
    ],
)
def test_public_addresses(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1"),
        *("192.0.2.1", "198.18.0.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "192.88.99.1"),
        *("::", "::1", "fe80::1", "fe80::1%1", "fec0::1", "fc00::1", "fd12::1", "ff02::1", "2001:db8::1"),
        *("100::1", "2002:808:808::1", "2001:0:808:808::1", "64:ff9b:1::808:808", "::8.8.8.8"),
        *("::ffff:0:8.8.8.8", "2606:4700::5efe:808:808", "2606:4700::200:5efe:808:808"),
    ],
)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@given(V4)
def test_an_ipv6_form_of_an_ipv4_address_is_as_public_as_the_address(address: IPv4Address) -> None:
    number, public = int(address), is_public(address)
    mapped = IPv6Address(0xFFFF << 32 | number)
    nat64 = IPv6Address(int(IPv6Address("64:ff9b::")) | number)
    assert is_public(mapped) is public
    assert is_public(nat64) is public
    for hidden in (
        IPv6Address(number),
        IPv6Address(0xFFFF << 48 | number),
        IPv6Address(0x2002 << 112 | number << 80),
        IPv6Address(0x2001 << 112 | number << 64),
        IPv6Address(0x2001 << 112 | (number ^ 0xFFFFFFFF)),
        IPv6Address(int(IPv6Address("2606:4700::5efe:0:0")) | number),
    ):
        assert not is_public(hidden)


@given(st.ip_addresses())
def test_addresses_that_are_not_global_by_the_registries_are_not_public(
    address: IPv4Address | IPv6Address,
) -> None:
    # Forms that contain an IPv4 address have their own test.
    if int(address) >> 32 not in (0xFFFF, int(IPv6Address("64:ff9b::")) >> 32) and is_public(address):
        assert address.is_global
        assert not address.is_multicast
