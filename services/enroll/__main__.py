"""Runs the enrolment service: ``python -m services.enroll``."""

from services.common.server import run
from services.enroll.app import build
from services.enroll.settings import Settings

if __name__ == "__main__":
    run(lambda: build(Settings()))
