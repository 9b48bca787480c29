"""From an operation of any kind to its answers, for protocols that carry more than one."""

from dataclasses import dataclass
from functools import partial

from gateway.auth.caller import Caller
from gateway.engine.answer import Asked
from gateway.engine.engine import Engine
from gateway.engine.operation import NoOperation
from gateway.engine.subscriptions import AnswerStream
from gateway.errors import NO_OPERATION, RateLimited
from gateway.http.asking import MakeContext
from gateway.http.operation import Operation
from gateway.http.refusal import Refusal


@dataclass(frozen=True, slots=True)
class Answering:
    """Opens operations whose documents are known: `persisted.with_document` comes first."""

    engine: Engine
    make_context: MakeContext

    async def open(
        self, operation: Operation, request_id: str, caller: Caller, *, reads_only: bool = False
    ) -> AnswerStream | bytes:
        """Give the answers to a subscription, or the one answer to anything else and to one that is refused.

        Raises Refusal or ShuttingDown, and ReadsOnly for a mutation where only reading is allowed.
        """
        text, name = operation.query or "", operation.operation_name
        is_traced = bool(operation.extensions and operation.extensions.get("freshness") is True)
        make_context = partial(self.make_context, request_id, caller, is_traced=is_traced)
        try:
            if self.engine.is_subscription(text, name):
                return await self.engine.subscribe(text, operation.variables, name, make_context)
            asked = Asked(text, operation.variables, name, reads_only, takes_kept=not is_traced, caller=caller)
            answer = await self.engine.answer(asked, make_context)
        except RateLimited as error:
            raise Refusal.of_rate(error) from error
        except NoOperation as error:
            raise Refusal(None, str(error), code=NO_OPERATION) from error
        return answer.body
