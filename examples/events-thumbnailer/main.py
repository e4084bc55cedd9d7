"""A function that makes a small copy of every picture that is uploaded."""

import io
import os

import functions_framework
from google.cloud import storage
from PIL import Image, UnidentifiedImageError

SIZE = int(os.environ.get("SIZE", "160"))  # pixels of the longer side
THUMBNAILS = os.environ["THUMBNAILS"]  # the bucket that the copies go to

client = storage.Client()


@functions_framework.cloud_event
def thumbnail(event):
    bucket, name = event.data["bucket"], event.data["name"]
    if bucket == THUMBNAILS:
        # What is written here would call the function again, for ever.
        print(f"{name}: THUMBNAILS is the bucket of the pictures, nothing is done", flush=True)
        return
    # This generation, whatever has been uploaded since.
    picture = client.bucket(bucket).blob(name, generation=int(event.data["generation"]))
    try:
        image = Image.open(io.BytesIO(picture.download_as_bytes()))
    except UnidentifiedImageError:
        print(f"{name}: not a picture", flush=True)
        return
    image.thumbnail((SIZE, SIZE))
    out = io.BytesIO()
    image.convert("RGB").save(out, "JPEG")
    client.bucket(THUMBNAILS).blob(name + ".jpg").upload_from_string(out.getvalue(), content_type="image/jpeg")
    print(f"{name}: {image.width}x{image.height}", flush=True)
