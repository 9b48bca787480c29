"""Both upstream APIs simulated, with made-up data, real files and faults on demand."""

from gateway.sandbox.app import Sandbox
from gateway.sandbox.faults import Fault
from gateway.sandbox.upstream import Call, Received

__all__ = ["Call", "Fault", "Received", "Sandbox"]
