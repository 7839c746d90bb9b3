"""What an operator watches of the gallery: how many it holds, and whether all of it can still be read."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from services.abis.gallery import Gallery
from services.abis.store import Store


class GalleryGauges(Collector):
    """``tunggal_abis_subjects``, ``tunggal_abis_gallery_sequence``, ``tunggal_abis_references_damaged``."""

    def __init__(self, gallery: Gallery, store: Store) -> None:
        self._gallery = gallery
        self._store = store

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Called by Prometheus' registry."""
        yield GaugeMetricFamily(
            "tunggal_abis_subjects", "Subjects that searches can find.", self._gallery.persons()
        )
        yield GaugeMetricFamily(
            "tunggal_abis_gallery_sequence",
            "Last change of the gallery that searches see; a replica that stays behind the others is stuck.",
            self._gallery.sequence,
        )
        yield GaugeMetricFamily(
            "tunggal_abis_references_damaged",
            "Stored fingers that cannot be opened any more: above 0, the log names the subjects.",
            self._store.damaged,
        )
