"""A gRPC service: one call, and a conversation with messages both ways."""

import os
import signal
from concurrent import futures

import grpc
from grpc_health.v1 import health, health_pb2_grpc

messages, services = grpc.protos_and_services("chat.proto")


class Chat(services.ChatServicer):
    def Greet(self, request, context):
        return messages.Message(text=f"Hello {request.text}!")

    def Converse(self, requests, context):
        for request in requests:
            yield messages.Message(text=request.text.upper())


def main():
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=80))
    services.add_ChatServicer_to_server(Chat(), server)
    health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), server)
    server.add_insecure_port("[::]:" + os.environ.get("PORT", "8080"))
    signal.signal(signal.SIGTERM, lambda *_: server.stop(grace=5))
    server.start()
    server.wait_for_termination()


main()
