"""What the user may write as a board's address."""

from __future__ import annotations

import pytest

from devices.transports.ssh import SshTarget
from eamdeploy.base.errors import UsageError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pi@192.0.2.7", ("192.0.2.7", "pi", None)),
        ("pi@board.local:2222", ("board.local", "pi", 2222)),
        ("alias", ("alias", None, None)),
        ("u@[2001:db8::1]:22", ("2001:db8::1", "u", 22)),
    ],
)
def test_addresses(text, expected):
    target = SshTarget.parse(text)
    assert (target.host, target.user, target.port) == expected
    assert str(target) == text


@pytest.mark.parametrize("text", ["", "a b", "x@y@z", "h:99999", "-oProxyCommand=id", "$(id)"])
def test_addresses_that_are_none(text):
    with pytest.raises(UsageError):
        SshTarget.parse(text)
