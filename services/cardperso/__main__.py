"""``python -m services.cardperso``: card personalization as a process, configured by ``TUNGGAL_…``
variables.
"""

from services.cardperso.app import build
from services.cardperso.settings import Settings
from services.common.server import run

if __name__ == "__main__":
    run(lambda: build(Settings()))
