"""`tunggal`: the command line of the suite. Each command is a module of its own, imported when it is used."""

from __future__ import annotations

import typer

from cli import (
    abis,
    bench,
    blank,
    card,
    contract,
    conveyance,
    count,
    coverage,
    delivery_notes,
    exchange,
    item,
    keys,
    loan,
    plan,
    production,
    refusal,
    requisition,
    reversal,
    shipment,
    site,
    spoilage,
    statement,
)
from cli.books import books
from cli.capacity import capacity
from cli.certificate import certificate
from cli.demo.command import demo
from cli.entitlement import entitlement
from cli.exit_codes import tell_usage_apart
from cli.forecast import forecast
from cli.readers import readers
from cli.reconcile import command as reconcile
from cli.serve import serve
from cli.status import status
from cli.stock import stock
from cli.target import target

tell_usage_apart()

app = typer.Typer(
    name="tunggal",
    help="From enrolment to the issued chip card: every person one identity, every identity one card, "
    "every blank accounted for.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
app.command(rich_help_panel="Start here")(demo)
app.command(rich_help_panel="Services")(serve)
app.command(rich_help_panel="Ask")(status)
app.command(rich_help_panel="Ask")(stock)
app.command(rich_help_panel="Ask")(books)
app.command(rich_help_panel="Ask")(forecast)
app.command(rich_help_panel="Ask")(target)
app.command(rich_help_panel="Ask")(entitlement)
app.command(name="reconcile", rich_help_panel="Ask")(reconcile)
app.command(rich_help_panel="Ask")(readers)
app.command(rich_help_panel="Services")(certificate)
app.add_typer(abis.app, name="abis", rich_help_panel="Ask")
app.add_typer(contract.app, name="contract", rich_help_panel="Ask")
app.add_typer(blank.app, name="blank", rich_help_panel="Ask")
app.add_typer(plan.app, name="plan", rich_help_panel="Ask")
app.add_typer(coverage.app, name="coverage", rich_help_panel="Ask")
app.add_typer(item.app, name="item", rich_help_panel="Move stock")
app.command(rich_help_panel="Move stock")(capacity)
app.add_typer(requisition.app, name="requisition", rich_help_panel="Move stock")
app.add_typer(shipment.app, name="shipment", rich_help_panel="Move stock")
app.add_typer(loan.app, name="loan", rich_help_panel="Move stock")
app.add_typer(site.app, name="site", rich_help_panel="Move stock")
app.add_typer(count.app, name="count", rich_help_panel="Move stock")
app.add_typer(spoilage.app, name="spoilage", rich_help_panel="Move stock")
app.add_typer(conveyance.app, name="conveyance", rich_help_panel="Move stock")
app.add_typer(spoilage.destruction, name="destruction", rich_help_panel="Move stock")
app.add_typer(reversal.app, name="reversal", rich_help_panel="Move stock")
app.add_typer(refusal.app, name="refusal", rich_help_panel="Move stock")
app.add_typer(statement.app, name="statement", rich_help_panel="Publish")
app.add_typer(exchange.export_app, name="export", rich_help_panel="Publish")
app.add_typer(delivery_notes.import_app, name="import", rich_help_panel="Publish")
app.add_typer(card.app, name="card", rich_help_panel="Make cards")
app.add_typer(production.station, name="station", rich_help_panel="Make cards")
app.add_typer(production.batch, name="batch", rich_help_panel="Make cards")
app.add_typer(keys.app, name="keys", rich_help_panel="Services")
app.add_typer(bench.app, name="bench", rich_help_panel="Measure")


if __name__ == "__main__":
    app()
