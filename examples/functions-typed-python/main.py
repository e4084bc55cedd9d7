import functions_framework


class Request:
    def __init__(self, name):
        self.name = name

    @staticmethod
    def from_dict(d):
        return Request(d.get("name", "World"))


class Greeting:
    def __init__(self, text):
        self.text = text

    def to_dict(self):
        return {"text": self.text}


@functions_framework.typed
def greet(request: Request) -> Greeting:
    return Greeting(f"Hello {request.name}!")
