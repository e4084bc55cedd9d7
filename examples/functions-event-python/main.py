import base64

import functions_framework


@functions_framework.cloud_event
def on_message(event):
    message = base64.b64decode(event.data["message"]["data"]).decode()
    print(f"{event['id']}: {message}")
