"""An emulated board whose user's home is mounted over NFS 4, from a server of the kernel's own on the same board."""

from __future__ import annotations

from dataclasses import replace

from devices.transports.emulated.image.recipe import ImageRecipe
from tests.devices.emulated_board import RunningBoard

_SERVE = """
set -e
export PATH=/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin
mkdir -p /srv/home /var/lib/nfs/v4recovery /var/lib/nfs/rpc_pipefs
chown 4711:4711 /srv/home
chmod 700 /srv/home
touch /var/lib/nfs/etab /var/lib/nfs/rmtab
echo '/srv/home *(rw,fsid=0,insecure,no_subtree_check)' > /etc/exports
mount -t nfsd nfsd /proc/fs/nfsd
mount -t rpc_pipefs rpc_pipefs /var/lib/nfs/rpc_pipefs
echo 10 > /proc/fs/nfsd/nfsv4leasetime
echo 10 > /proc/fs/nfsd/nfsv4gracetime
exportfs -a
rpc.nfsd --no-nfs-version 3 2
rpc.mountd --no-nfs-version 3
mount -t nfs4 -o vers=4.2 127.0.0.1:/ /home/board
"""


def nfs_board(profile: str = "pi4") -> RunningBoard:
    """Boot it; it has no runtimes, so that `devices setup` has to bring them into that home."""
    plain = ImageRecipe(requirements=(), modules=("nfsd", "nfsv4"))
    board = RunningBoard(profile, recipe=replace(plain, packages=(*plain.packages, "nfs-kernel-server")))
    board.as_root(_SERVE)
    return board


def stop_server(board: RunningBoard) -> None:
    """The network is gone: nobody answers any more."""
    board.as_root("PATH=$PATH:/usr/sbin rpc.nfsd 0")
