"""Amazon MQ: a broker that is gone is not found when it is deleted again."""

from moto.mq.exceptions import UnknownBroker
from moto.mq.models import MQBackend

from local.emulator_repairs import put

_delete_broker = MQBackend.delete_broker


def delete_broker(self: MQBackend, broker_id: str) -> None:
    if broker_id not in self.brokers:
        raise UnknownBroker(broker_id)
    _delete_broker(self, broker_id)


put(MQBackend, delete_broker)
