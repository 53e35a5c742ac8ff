"""Planning by measurement on a board: through a real SSH server, remembered, and nothing left there."""

from __future__ import annotations

import os
import signal
import sys
import threading

import pytest

from devices.boards.registry import Board, BoardRegistry
from eamdeploy.base.errors import BoardBusy, BoardUnreachable, MissingDependency, UsageError
from eamdeploy.measurement.layer_timing import BoardTimer, planning_costs
from eamdeploy.networks.random_init import random_network
from eamdeploy.networks.spec import ArchSpec
from export.planning.costs import MeasuredCosts
from export.planning.plan import plan_network
from export.planning.sites import find_sites
from export.planning.target import Target, host_machine
from tests.eamdeploy.measurement.served_boards import eventually, left_over
from tests.recorded_progress import RecordedProgress

SHAPE = (3, 32, 32)
TARGET = Target(machine=host_machine())


@pytest.fixture(scope="module")
def network():
    return random_network(ArchSpec(width=0.25, classes=3, input_px=32)).eval()


def open_transport(boards):
    (server,) = boards.servers
    return server.transport("mypi", python=(sys.executable,))


@pytest.mark.slow
def test_a_layer_is_timed_on_the_board_and_remembered(boards, network, tmp_path):
    board_machines = boards(1)
    progress = RecordedProgress()
    cache = tmp_path / "costs.json"
    # two layers of one shape, and one of another
    sites = [
        site for site in find_sites(network, SHAPE) if site.path in {f"blocks.{n}.depthwise.conv" for n in (8, 9, 11)}
    ]
    with BoardTimer(open_transport(board_machines)) as timer:
        costs = MeasuredCosts(timer, cache=cache, rounds=8, progress=progress)
        layer_costs = [costs(site, TARGET, ("aggregate", "experts")) for site in sites]
    assert all(0 < cost < 1000 for each in layer_costs for cost in each.values())
    assert layer_costs[0] == layer_costs[1] != layer_costs[2]
    assert progress.sentences == [
        f"measuring aggregate, experts for {site.path} on mypi" for site in (sites[0], sites[2])
    ]
    assert eventually(lambda: not left_over(board_machines.servers[0]))

    with BoardTimer(open_transport(board_machines)) as timer:
        costs_again = MeasuredCosts(timer, cache=cache, progress=progress)
        assert [costs_again(site, TARGET, ("aggregate", "experts")) for site in sites] == layer_costs
    assert len(progress.sentences) == 2, "nothing is measured twice"


def test_the_board_is_locked_meanwhile(boards, network):
    board_machines = boards(1)
    with (
        BoardTimer(open_transport(board_machines)),
        pytest.raises(BoardBusy, match="measuring for an export"),
        BoardTimer(open_transport(board_machines)),
    ):
        pass


def test_a_lost_link_ends_the_plan_and_no_thread_stays(boards, network, tmp_path):
    board_machines = boards(1)
    site = find_sites(network, SHAPE)[0]
    with pytest.raises(BoardUnreachable), BoardTimer(open_transport(board_machines)) as timer:
        board_machines.on_loop(board_machines.servers[0].cut)
        MeasuredCosts(timer, cache=tmp_path / "costs.json")(site, TARGET, ("aggregate", "experts"))
    assert not any(thread.name == "eamdeploy-board" for thread in threading.enumerate())


def test_a_board_that_is_not_there(boards):
    board_machines = boards(1)
    transport = open_transport(board_machines)
    board_machines.call(board_machines.servers[0].stop())
    with pytest.raises(BoardUnreachable), BoardTimer(transport):
        pass


def test_what_the_board_lacks_is_named(boards, monkeypatch):
    board_machines = boards(1)
    with BoardTimer(open_transport(board_machines)) as timer:
        assert timer.identity("onnxruntime")["runtime"].startswith("onnxruntime 1.")
        monkeypatch.setattr(timer, "_versions", {})
        with pytest.raises(MissingDependency, match="devices setup mypi --runtime litert"):
            timer.identity("litert")


def test_another_kind_of_board_is_refused(boards, network, tmp_path):
    board_machines = boards(1)
    other = Target(machine="aarch64" if host_machine() != "aarch64" else "x86-64")
    with BoardTimer(open_transport(board_machines)) as timer:
        costs = MeasuredCosts(timer, cache=tmp_path / "costs.json")
        with pytest.raises(UsageError, match=f"mypi is {host_machine()}, and the plan is for {other.machine}"):
            plan_network(network, other, SHAPE, costs=costs)


def test_interrupting_leaves_nothing_on_the_board(boards, network, tmp_path):
    board_machines = boards(1)
    site = find_sites(network, SHAPE)[0]
    stop = threading.Timer(1.5, lambda: os.kill(os.getpid(), signal.SIGINT))

    class Interrupted(BoardTimer):
        def time(self, *arguments):
            stop.start()  # not before: what this host does until then is not what is tested
            return super().time(*arguments)

    with pytest.raises(KeyboardInterrupt), Interrupted(open_transport(board_machines)) as timer:
        MeasuredCosts(timer, cache=tmp_path / "costs.json", rounds=1_000_000)(site, TARGET, ("aggregate", "experts"))
    assert eventually(lambda: not left_over(board_machines.servers[0]) and not board_machines.servers[0].running())


def test_only_real_boards_of_the_user_s_are_measured_on():
    with (
        pytest.raises(UsageError, match=r"you have no pi4 to measure on.*devices add"),
        planning_costs("pi4", None, str),
    ):
        pass
    BoardRegistry().add(Board("virtual", "pi4", host="emulated"))
    with (
        pytest.raises(UsageError, match="the time of an emulated board means nothing"),
        planning_costs("pi4", None, str),
    ):
        pass
    with planning_costs(None, None, str) as costs:
        assert costs.timer.where == "this host"
