//go:build e2e

package e2e

import (
	"maps"
	"strings"
)

// conformant is one source with a function of each signature. The HTTP function
// answers "METHOD PATH" and what it was sent, and on /meet waits until four
// requests are there at once; the typed one answers {"payload": WHAT IT GOT};
// the others print "EVENT " and a seenEvent.
type conformant struct {
	name, runtime, needs           string
	http, typed, cloudevent, event string // entry points
	files                          map[string]string
	eventFlags                     []string // where the source does not say what a background function is
}

var conformants = []conformant{
	{name: "python", runtime: "python311", http: "serve", typed: "echo", cloudevent: "on_event", event: "on_background",
		files: map[string]string{"main.py": pythonConformant}},
	{name: "node", runtime: "nodejs20", needs: "npm", http: "serve", typed: "echo", cloudevent: "onEvent", event: "onBackground",
		files: map[string]string{"index.js": nodeConformant}, eventFlags: []string{"--signature-type", "event"}},
	{name: "go", runtime: "go121", needs: "go", http: "Serve", typed: "echo", cloudevent: "OnEvent", event: "OnBackground",
		files: map[string]string{"go.mod": "module example.com/conformant\n\ngo 1.21\n\nrequire github.com/GoogleCloudPlatform/functions-framework-go v1.9.2\n", "all.go": goConformant}},
	{name: "java", runtime: "java17", needs: "mvn", http: "com.example.Serve", typed: "com.example.Echo", cloudevent: "com.example.OnEvent", event: "com.example.OnBackground",
		files: javaConformant()},
}

const pythonConformant = `import json
import threading

import functions_framework

together = threading.Barrier(4)


@functions_framework.http
def serve(request):
    if request.path == "/meet":
        together.wait(30)
        return "met"
    return f"{request.method} {request.path}\n{request.get_data(as_text=True)}"


class Message:
    def __init__(self, message):
        self.message = message

    @staticmethod
    def from_dict(d):
        return Message(d["message"])

    def to_dict(self):
        return {"payload": {"message": self.message}}


@functions_framework.typed(Message)
def echo(m):
    return m


@functions_framework.cloud_event
def on_event(e):
    say(e["id"], e["type"], e["time"], source=e["source"], subject=e.get("subject") or "", data=e.data)


def on_background(data, context):
    r = context.resource
    say(context.event_id, context.event_type, context.timestamp, resource=r["name"] if isinstance(r, dict) else r, data=data)


def say(id, type, time, **more):
    print("EVENT", json.dumps({"id": id, "type": type, "time": time, **more}), flush=True)
`

const nodeConformant = `const functions = require('@google-cloud/functions-framework');

const waiting = [];

functions.http('serve', (req, res) => {
  if (req.path === '/meet') {
    waiting.push(res);
    if (waiting.length === 4) waiting.forEach((w) => w.send('met'));
    return;
  }
  res.send(req.method + ' ' + req.path + '\n' + (req.rawBody || ''));
});

functions.typed('echo', (m) => ({ payload: m }));

functions.cloudEvent('onEvent', (e) => {
  say({ id: e.id, type: e.type, time: e.time, source: e.source, subject: e.subject || '', data: e.data });
});

exports.onBackground = (data, context) => {
  const r = context.resource;
  say({ id: context.eventId, type: context.eventType, time: context.timestamp, resource: r.name || r, data });
};

const say = (e) => console.log('EVENT ' + JSON.stringify(e));
`

const goConformant = `package conformant

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"cloud.google.com/go/functions/metadata"
	"github.com/GoogleCloudPlatform/functions-framework-go/functions"
	"github.com/cloudevents/sdk-go/v2/event"
)

var together sync.WaitGroup

func init() {
	together.Add(4)
	functions.Typed("echo", func(m Message) (Payload, error) { return Payload{m}, nil })
}

// Message is what echo takes, Payload what it answers.
type (
	Message struct{ Message string ` + "`json:\"message\"`" + ` }
	Payload struct{ Payload Message ` + "`json:\"payload\"`" + ` }
)

func Serve(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/meet" {
		together.Done()
		together.Wait()
		fmt.Fprint(w, "met")
		return
	}
	fmt.Fprintf(w, "%s %s\n", r.Method, r.URL.Path)
	io.Copy(w, r.Body)
}

func OnEvent(ctx context.Context, e event.Event) error {
	return say(map[string]any{"id": e.ID(), "type": e.Type(), "time": e.Time().Format(time.RFC3339Nano), "source": e.Source(), "subject": e.Subject(), "data": json.RawMessage(e.Data())})
}

func OnBackground(ctx context.Context, data map[string]any) error {
	m, err := metadata.FromContext(ctx)
	if err != nil {
		return err
	}
	name := m.Resource.Name
	if name == "" {
		name = m.Resource.RawPath
	}
	return say(map[string]any{"id": m.EventID, "type": m.EventType, "time": m.Timestamp.Format(time.RFC3339Nano), "resource": name, "data": data})
}

func say(e map[string]any) error {
	b, err := json.Marshal(e)
	fmt.Printf("EVENT %s\n", b)
	return err
}
`

// javaConformant has a class for each function.
func javaConformant() map[string]string {
	files := map[string]string{"pom.xml": javaPOM}
	for class, text := range map[string]string{"Serve": javaServe, "Echo": javaEcho, "OnEvent": javaOnEvent, "OnBackground": javaOnBackground} {
		files["src/main/java/com/example/"+class+".java"] = "package com.example;\n\n" + strings.TrimLeft(text, "\n")
	}
	return maps.Clone(files)
}

const javaServe = `
import com.google.cloud.functions.HttpFunction;
import com.google.cloud.functions.HttpRequest;
import com.google.cloud.functions.HttpResponse;
import java.util.concurrent.CountDownLatch;

public class Serve implements HttpFunction {
  private static final CountDownLatch TOGETHER = new CountDownLatch(4);

  public void service(HttpRequest request, HttpResponse response) throws Exception {
    if (request.getPath().equals("/meet")) {
      TOGETHER.countDown();
      TOGETHER.await();
      response.getWriter().write("met");
      return;
    }
    response.setContentType("text/plain; charset=utf-8");
    response.getWriter().write(request.getMethod() + " " + request.getPath() + "\n");
    request.getReader().transferTo(response.getWriter());
  }
}
`

const javaEcho = `
import com.google.cloud.functions.TypedFunction;

public class Echo implements TypedFunction<Echo.Message, Echo.Payload> {
  public static class Message {
    String message;
  }

  public static class Payload {
    Message payload;
  }

  public Payload apply(Message m) {
    Payload p = new Payload();
    p.payload = m;
    return p;
  }
}
`

const javaOnEvent = `
import com.google.cloud.functions.CloudEventsFunction;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.cloudevents.CloudEvent;
import java.nio.charset.StandardCharsets;

public class OnEvent implements CloudEventsFunction {
  public void accept(CloudEvent event) {
    JsonObject seen = new JsonObject();
    seen.addProperty("id", event.getId());
    seen.addProperty("type", event.getType());
    seen.addProperty("time", event.getTime().toString());
    seen.addProperty("source", event.getSource().toString());
    seen.addProperty("subject", event.getSubject() == null ? "" : event.getSubject());
    seen.add("data", JsonParser.parseString(new String(event.getData().toBytes(), StandardCharsets.UTF_8)));
    System.out.println("EVENT " + seen);
  }
}
`

const javaOnBackground = `
import com.google.cloud.functions.Context;
import com.google.cloud.functions.RawBackgroundFunction;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;

public class OnBackground implements RawBackgroundFunction {
  public void accept(String json, Context context) {
    JsonObject seen = new JsonObject();
    seen.addProperty("id", context.eventId());
    seen.addProperty("type", context.eventType());
    seen.addProperty("time", context.timestamp());
    String resource = context.resource();
    if (resource.startsWith("{")) {
      resource = JsonParser.parseString(resource).getAsJsonObject().get("name").getAsString();
    }
    seen.addProperty("resource", resource);
    JsonElement data = JsonParser.parseString(json);
    seen.add("data", data);
    System.out.println("EVENT " + seen);
  }
}
`
