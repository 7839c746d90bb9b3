"""``python -m services.inventory``: the inventory as a process, configured by ``TUNGGAL_…`` variables."""

from services.common.server import run
from services.inventory.app import build
from services.inventory.settings import Settings

if __name__ == "__main__":
    run(lambda: build(Settings()))
