import base64

import functions_framework


@functions_framework.cloud_event
def hello(event):
    name = base64.b64decode(event.data["message"].get("data", "")).decode()
    print(f"Hello {name or 'World'}!", flush=True)
