"""The RPCs of stations: message → domain call → message."""

from __future__ import annotations

from dataclasses import replace

import grpc
import sqlalchemy as sa
from tunggal.cardperso.v1 import production_pb2 as pb

from services.cardperso.production import messages as shown
from services.cardperso.production import store as shelves
from services.cardperso.production.adapter import Adapter
from services.cardperso.production.station import Printer, Station


class StationMethods(Adapter):
    """Stations register, report their printers, pause and resume."""

    def RegisterStation(
        self, request: pb.RegisterStationRequest, context: grpc.ServicerContext
    ) -> pb.RegisterStationResponse:
        """See the contract."""
        self._desk.check_reader(request.reader)

        def work(conn: sa.Connection) -> pb.RegisterStationResponse:
            state = Printer.READY if request.printer else Printer.NONE
            station = Station(
                request.name,
                self._floor.host,
                request.location,
                request.reader,
                request.printer,
                state,
                "",
                self._floor.lease_time(),
            )
            shelves.move_station(conn, station)
            return pb.RegisterStationResponse(station=self._shown(conn, station))

        return self._once(context, request, pb.RegisterStationResponse, f"stations/{request.name}", work)

    def ReportPrinter(
        self, request: pb.ReportPrinterRequest, context: grpc.ServicerContext
    ) -> pb.ReportPrinterResponse:
        """See the contract."""

        def work(conn: sa.Connection) -> pb.ReportPrinterResponse:
            station = shelves.station(conn, request.name)
            station = replace(station, printer_state=shown.PRINTERS[request.state])
            shelves.save_station(conn, station)
            return pb.ReportPrinterResponse(station=self._shown(conn, station))

        return self._once(context, request, pb.ReportPrinterResponse, f"stations/{request.name}", work)

    def PauseStation(
        self, request: pb.PauseStationRequest, context: grpc.ServicerContext
    ) -> pb.PauseStationResponse:
        """See the contract."""

        def work(conn: sa.Connection) -> pb.PauseStationResponse:
            station = shelves.station(conn, request.name).with_pause(request.reason)
            shelves.save_station(conn, station)
            return pb.PauseStationResponse(station=self._shown(conn, station))

        return self._once(context, request, pb.PauseStationResponse, f"stations/{request.name}", work)

    def ResumeStation(
        self, request: pb.ResumeStationRequest, context: grpc.ServicerContext
    ) -> pb.ResumeStationResponse:
        """See the contract."""

        def work(conn: sa.Connection) -> pb.ResumeStationResponse:
            station = shelves.station(conn, request.name).with_pause("")
            shelves.save_station(conn, station)
            return pb.ResumeStationResponse(station=self._shown(conn, station))

        return self._once(context, request, pb.ResumeStationResponse, f"stations/{request.name}", work)

    def ListStations(
        self, request: pb.ListStationsRequest, context: grpc.ServicerContext
    ) -> pb.ListStationsResponse:
        """See the contract."""
        with self._database.read() as conn:
            found = shelves.stations(conn, location=request.location)
            return pb.ListStationsResponse(stations=[self._shown(conn, station) for station in found])

    def _shown(self, conn: sa.Connection, station: Station) -> pb.Station:
        job_id = shelves.job_at(conn, station.host, station.reader)
        return shown.station(station, job_id, self._clock.now())
