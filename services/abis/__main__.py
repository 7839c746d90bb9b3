"""``python -m services.abis``: the ABIS as a process, configured by ``TUNGGAL_…`` variables."""

from services.abis.app import build
from services.abis.settings import Settings
from services.common.server import run

if __name__ == "__main__":
    run(lambda: build(Settings()))
