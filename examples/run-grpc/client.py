"""Calls the service: client.py HOST:PORT [AUTHORITY]"""

import sys

import grpc

messages, services = grpc.protos_and_services("chat.proto")

target = sys.argv[1]
options = [("grpc.default_authority", sys.argv[2])] if len(sys.argv) > 2 else []
with grpc.insecure_channel(target, options=options) as channel:
    chat = services.ChatStub(channel)
    print(chat.Greet(messages.Message(text="World"), timeout=10).text)
    words = (messages.Message(text=w) for w in ("one", "two", "three"))
    for answer in chat.Converse(words, timeout=10):
        print(answer.text)
