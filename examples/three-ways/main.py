"""One folder, deployed unchanged in three ways:

    sunya app deploy
    sunya functions deploy hello-function --runtime python311 --trigger-http --entry-point hello --allow-unauthenticated
    sunya run deploy hello-run --source . --allow-unauthenticated
"""

import os

import flask

app = flask.Flask(__name__)


def product():
    """Says where this runs, by the variables that each product sets."""
    if "GAE_SERVICE" in os.environ:
        return "App Engine"
    if "FUNCTION_TARGET" in os.environ:
        return "Cloud Functions"
    return "Cloud Run"


@app.route("/")
def index():
    return hello(flask.request)


def hello(request):
    """Answers a request; a function's entry point and the app's route alike."""
    name = request.args.get("name", "World")
    return f"Hello {name} from {product()}!\n"
